/** Fields that the inputs of many mutations share. */
import type { builder } from '../base/builder.ts';

/** The builder of the fields of an input type. */
export type InputFields = Parameters<
  Extract<Parameters<typeof builder.inputType>[1]['fields'], (...args: never[]) => unknown>
>[0];

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
