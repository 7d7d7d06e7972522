/**
 * The check of a solution document against `solution.schema.json`. It fills in defaults. A bundle has it
 * compiled, without the compiler: that is 10 MB of each runtime.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import schema from './solution.schema.json' with { type: 'json' };

export const shapeOptions = {
  allErrors: true,
  useDefaults: true,
  strictTypes: false,
} as const;

interface Shape {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean | Shape;
}

/** The names that are known at each place of a document; a place is the pattern of a JSON pointer. */
export function namesByPlace(
  root: { readonly $defs: Readonly<Record<string, unknown>> },
  at: Shape = root as Shape,
  place = '',
): Record<string, string[]> {
  const shape = (at.$ref ? root.$defs[at.$ref.slice('#/$defs/'.length)] : at) as Shape;
  const { properties = {}, additionalProperties: others } = shape;
  const within = Object.entries(properties).map(([name, each]) =>
    namesByPlace(root, each, `${place}/${name}`),
  );
  if (typeof others === 'object') within.push(namesByPlace(root, others, `${place}/[^/]+`));
  const own = others === false ? { [place]: Object.keys(properties) } : {};
  return Object.assign(own, ...within);
}

/** What `namesByPlace` says of the schema. */
export const knownNames: Readonly<Record<string, readonly string[]>> = namesByPlace(schema);

export const validateShape: ValidateFunction = new Ajv2020(shapeOptions).compile(schema);
