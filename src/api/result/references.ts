/** References within inputs: global ids become uuids for the store, keys stay. */
import { referenceOf } from '../base/ids.ts';

/** An input with its references resolved; absent and null values stay so. */
export function withReferences<Input extends object>(
  input: Input,
  types: { readonly [Field in keyof Input]?: string },
): Input {
  return Object.fromEntries(
    Object.entries(input).map(([field, value]) => {
      const type = types[field as keyof Input];
      return [field, type && typeof value === 'string' ? referenceOf(type, value) : value];
    }),
  ) as Input;
}
