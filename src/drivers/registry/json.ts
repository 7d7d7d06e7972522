/** Reading what a registry sent: anything may be in it. */
import { invalidAnswer } from './failure.ts';

export type JsonObject = { readonly [name: string]: unknown };

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The text of an object. */
export function jsonObject(host: string, body: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw invalidAnswer(host, 'its answer is no JSON', error);
  }
  if (!isObject(value)) throw invalidAnswer(host, 'its answer is no JSON object');
  return value;
}
