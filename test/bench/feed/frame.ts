/** What the client process reads of a message without parsing it. */

const NEXT = Buffer.from('"type":"next"');
/** The number that the writer gave an event, in its details. */
const NUMBER = Buffer.from('"n":');

/** Is a message an event? Wherever its type stands in it. */
export function isNext(data: Buffer, from: number, to: number): boolean {
  const at = data.indexOf(NEXT, from);
  return at >= 0 && at < to;
}

/** The number of an event; NaN where it has none. */
export function numberOf(data: Buffer, from: number, to: number): number {
  let at = data.indexOf(NUMBER, from);
  if (at < 0 || at >= to) return Number.NaN;
  let number = 0;
  for (at += NUMBER.length; at < to; at += 1) {
    const digit = (data[at] as number) - 48;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}
