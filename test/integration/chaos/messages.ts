/** Random device messages, by a seed: values of one byte up to the longest, some of them illegal. */
import { pick, randomNumbers } from '../load.ts';

export type Value = string | number | boolean;

export interface Message {
  readonly device: string;
  /** By field. Every value tells the number of its message. */
  readonly values: Readonly<Record<string, Value>>;
  /** The runtime must not accept it. */
  readonly isIllegal: boolean;
}

const longestText = 10_000;
/** One that is six bytes in JSON, one of two, of four bytes for two units, and plain ones. */
const alphabets = ['\u0001', '"', '🌱', 'ä', 'x', 'x', 'x', 'x'];
/** PostgreSQL can hold neither. */
const illegalTexts = ['\0', '\ud800'];
const reusedDevices = 20;

/** The solution that takes them on this port. */
export function definitionOf(port: number): object {
  const text = { type: 'STRING', maxLength: longestText, required: false };
  const number = { type: 'NUMBER', required: false };
  return {
    listeners: { http: { protocol: 'http', port, auth: 'NONE' } },
    messages: { note: { fields: { text, remark: text, level: number, count: number } } },
  };
}

/**
 * The messages of one sender. Half are of devices that send again and again, half of devices that
 * send once. No two senders have a device in common.
 */
export function createMessages(sender: string, seed: number): () => Message {
  const random = randomNumbers(seed);
  let number = 0;
  const length = () => Math.max(1, Math.floor(longestText ** random()));
  const textOf = (): string => {
    const letter = pick(random, alphabets);
    const filler = letter.repeat(Math.floor(length() / letter.length));
    return `${number} ${filler}`.slice(0, longestText - 1).toWellFormed();
  };
  return () => {
    number += 1;
    const isAgain = random() < 0.5;
    const device = `${sender}-${isAgain ? Math.floor(random() * reusedDevices) : `once-${number}`}`;
    const isIllegal = random() < 0.01;
    const values: Record<string, Value> = { level: number };
    if (random() < 0.5) values.count = number + 0.5;
    if (random() < 0.7) values.text = textOf();
    if (random() < 0.3) values.remark = textOf();
    if (isIllegal) values.text = `${number} ${pick(random, illegalTexts)}`;
    return { device, values, isIllegal };
  };
}
