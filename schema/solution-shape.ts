/**
 * The check of a solution document against `solution.schema.json`. It fills in defaults. A bundle has it
 * compiled, without the compiler: that is 10 MB of each runtime.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import schema from './solution.schema.json' with { type: 'json' };

export const shapeOptions = {
  allErrors: true,
  verbose: true,
  useDefaults: true,
  strictTypes: false,
} as const;

export const validateShape: ValidateFunction = new Ajv2020(shapeOptions).compile(schema);
