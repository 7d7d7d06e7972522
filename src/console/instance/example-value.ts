/** A value that a field of a solution accepts. */
import type { Field } from './definition.ts';

/** Null: none could be made, as for a pattern that is not understood here. */
export function exampleValue(field: Field, preferred = 'text'): string | number | boolean | null {
  const { type, minimum, maximum } = field;
  switch (type) {
    case 'BOOLEAN':
      return true;
    case 'NUMBER':
    case 'INTEGER': {
      const middle = between(minimum, maximum);
      if (type === 'NUMBER') return Number.isInteger(middle) ? middle : rounded(middle, field);
      const whole = Math.max(Math.ceil(minimum ?? -Infinity), Math.floor(middle));
      return whole <= (maximum ?? Infinity) ? whole : null;
    }
    default:
      return exampleText(field, preferred);
  }
}

const between = (minimum?: number, maximum?: number): number => {
  if (minimum !== undefined && maximum !== undefined) return minimum / 2 + maximum / 2;
  if (minimum !== undefined) return Math.max(minimum, 1);
  return maximum === undefined ? 1 : Math.min(maximum, 1);
};

/** With two digits behind the point, where that is still within the bounds. */
function rounded(value: number, { minimum = -Infinity, maximum = Infinity }: Field): number {
  const short = Math.round(value * 100) / 100;
  return short >= minimum && short <= maximum ? short : value;
}

function exampleText({ pattern, maxLength }: Field, preferred: string): string | null {
  const most = maxLength ?? 256;
  if (pattern === undefined) return preferred.slice(0, most);
  try {
    const expression = new RegExp(pattern, 'u');
    const candidates = [preferred, sampleOf(pattern)];
    return candidates.find((text) => text.length <= most && expression.test(text)) ?? null;
  } catch {
    return null; // A construct that the sampler does not read.
  }
}

/** What the reading of a pattern goes through. */
interface Reader {
  readonly pattern: string;
  at: number;
}

/**
 * A text that a simple pattern matches: literals, classes, groups, alternatives (the first) and
 * quantifiers (the fewest, but one where none would do). The caller checks the text.
 */
function sampleOf(pattern: string): string {
  const reader = { pattern, at: 0 };
  const text = alternatives(reader);
  if (reader.at < pattern.length) throw new SyntaxError(`not read: ${pattern.slice(reader.at)}`);
  return text;
}

function alternatives(reader: Reader): string {
  const all: string[] = [];
  do {
    if (reader.pattern[reader.at] === '|') reader.at += 1;
    let text = '';
    while (reader.at < reader.pattern.length && !'|)'.includes(reader.pattern[reader.at]!))
      text += repeated(reader, atom(reader));
    all.push(text);
  } while (reader.pattern[reader.at] === '|');
  return all[0]!;
}

function atom(reader: Reader): string {
  const letter = reader.pattern[reader.at++]!;
  switch (letter) {
    case '^':
    case '$':
      return '';
    case '.':
      return 'a';
    case '\\':
      return escaped(reader.pattern[reader.at++] ?? '');
    case '[':
      return oneOfClass(reader);
    case '(': {
      const group = /^\?(?::|<\w+>)/.exec(reader.pattern.slice(reader.at));
      if (group) reader.at += group[0].length;
      else if (reader.pattern[reader.at] === '?') throw new SyntaxError('a lookaround');
      const text = alternatives(reader);
      reader.at += 1;
      return text;
    }
    default:
      return letter;
  }
}

function escaped(letter: string): string {
  const classes: Readonly<Record<string, string>> = { d: '1', w: 'a', s: ' ', D: 'a', S: 'a' };
  if (classes[letter]) return classes[letter];
  if (letter === 'b') return '';
  if (/[a-zA-Z0-9]/.test(letter)) throw new SyntaxError(`\\${letter}`);
  return letter;
}

/** Behind the bracket. A negated class is tried with a few characters. */
function oneOfClass(reader: Reader): string {
  const end = /^(?:\\.|[^\]\\])*\]/.exec(reader.pattern.slice(reader.at))?.[0];
  if (end === undefined) throw new SyntaxError('a class without an end');
  reader.at += end.length;
  const one = new RegExp(`^[${end}$`, 'u');
  const found = [
    ...'1a0A-_ .:/',
    ...Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)),
  ];
  const letter = found.find((each) => one.test(each));
  if (letter === undefined) throw new SyntaxError(`a class without a character: [${end}`);
  return letter;
}

function repeated(reader: Reader, text: string): string {
  const quantifier = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/.exec(reader.pattern.slice(reader.at));
  if (!quantifier) return text;
  reader.at += quantifier[0].length;
  return text.repeat(Math.max(1, Number(quantifier[1] ?? 1)));
}
