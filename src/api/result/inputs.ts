/** Fields that the inputs of many mutations share. */
import type { InputFields } from '../base/builder.ts';

/** Of the input of every mutation. */
export const commonFields = (t: InputFields) => ({
  idempotencyKey: t.string(),
  reason: t.string(),
});

/** Of every edit and deletion. */
export const guardedFields = (t: InputFields) => ({
  expectedVersion: t.int(),
  ...commonFields(t),
});

/** Of every lifecycle command. */
export const commandFields = (t: InputFields) => ({
  expectedSequence: t.int(),
  ...commonFields(t),
});

/** Of every input that names or describes a resource. */
export const textFields = (t: InputFields) => ({
  name: t.string(),
  description: t.string(),
});
