/** The check of solution documents, compiled for a bundle. Builds load this file. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import type { Plugin } from 'esbuild';
import schema from './solution.schema.json' with { type: 'json' };
import { namesByPlace, shapeOptions } from './solution-shape.ts';

/** The schema without what is for people alone. A property that is called `description` is no text. */
function withoutWords(of: object): object {
  return JSON.parse(
    JSON.stringify(of, (name, value) =>
      (name === 'description' || name === 'title') && typeof value === 'string' ? undefined : value,
    ),
  );
}

/** Replaces the schema of solution documents and its compiler by the compiled check. */
export const compileSolutionShape: Plugin = {
  name: 'solution-shape',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]schema[\\/]solution-shape\.[jt]s$/ }, () => {
      const ajv = new Ajv2020({ ...shapeOptions, code: { source: true, esm: true, optimize: 3 } });
      ajv.addSchema(withoutWords(schema), 'shape');
      // Where in the schema a rule stands is read by nobody.
      const check = standalone
        .default(ajv, { validateShape: 'shape' })
        .replaceAll(/schemaPath:"(?:[^"\\]|\\.)*",/g, '');
      const names = JSON.stringify(namesByPlace(schema));
      return { contents: `${check}\nexport const knownNames = ${names};`, loader: 'js' };
    });
  },
};
