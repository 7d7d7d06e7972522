/** Figures whose aim is set for the value itself, not for its ratio to a reference. */
import { type Figure, figure } from '../figures.ts';

/** A figure that is held against a number, beside a reference where there is one. */
export function held(
  name: string,
  value: number,
  { atLeast, atMost, reference }: { atLeast?: number; atMost?: number; reference?: number },
): Figure {
  const row = figure(name, value, reference === undefined ? undefined : { reference });
  if (atLeast !== undefined) return { ...row, aim: `value >= ${atLeast}`, met: value >= atLeast };
  if (atMost !== undefined) return { ...row, aim: `value <= ${atMost}`, met: value <= atMost };
  return row;
}
