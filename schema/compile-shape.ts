/** The check of solution documents, compiled for a bundle. Builds load this file. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import type { Plugin } from 'esbuild';
import schema from './solution.schema.json' with { type: 'json' };
import { shapeOptions } from './solution-shape.ts';

/** Replaces the schema of solution documents and its compiler by the compiled check. */
export const compileSolutionShape: Plugin = {
  name: 'solution-shape',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]schema[\\/]solution-shape\.[jt]s$/ }, () => {
      const ajv = new Ajv2020({ ...shapeOptions, code: { source: true, esm: true } });
      ajv.addSchema(schema, 'shape');
      return { contents: standalone.default(ajv, { validateShape: 'shape' }), loader: 'js' };
    });
  },
};
