/** Reads JSON with the place of each part, so that a fault of a part is shown at its line. */

export interface Parsed {
  readonly value: unknown;
  /** Where a part begins, by its path with dots; what is not there: where it would belong. */
  placeOf(path: string): number;
  /** Names that an object has twice, of which the last counts. */
  readonly doubles: readonly { readonly path: string; readonly offset: number }[];
}

/** Why a text is no JSON, and where. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const deepest = 200;
const space = /[ \t\n\r]*/y;
const literal = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const quoted = /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;

/** Reads a text as `JSON.parse` does. @throws JsonFault */
export function parseJson(text: string): Parsed {
  const reader = new Reader(text);
  const value = reader.document();
  const { places, doubles } = reader;
  return {
    value,
    doubles,
    placeOf(path) {
      for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
        const offset = places.get(at);
        if (offset !== undefined) return offset;
      }
      return places.get('') ?? 0;
    },
  };
}

class Reader {
  readonly places = new Map<string, number>();
  readonly doubles: { path: string; offset: number }[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    this.#take(space);
    this.places.set('', this.#at);
    const value = this.#value([]);
    this.#take(space);
    if (this.#at < this.#text.length) this.#fail('Nothing may follow the document.');
    return value;
  }

  #value(path: readonly string[]): unknown {
    if (path.length > deepest) this.#fail('This is nested too deeply.');
    const next = this.#text[this.#at];
    if (next === '{') return this.#object(path);
    if (next === '[') return this.#array(path);
    if (next === '"') return this.#string();
    const found = this.#take(literal);
    if (found) return JSON.parse(found);
    return this.#fail(
      next === undefined
        ? 'The document ends here, but a value is missing.'
        : 'A value is expected here: an object, a list, a text in "…", a number, true, false or null.',
    );
  }

  #object(path: readonly string[]): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    this.#list('}', () => {
      const begin = this.#at;
      if (this.#text[this.#at] !== '"') this.#fail('A name in "…" is expected here.');
      const name = this.#string();
      const inner = [...path, name];
      const place = inner.join('.');
      if (Object.hasOwn(value, name)) this.doubles.push({ path: place, offset: begin });
      this.places.set(place, begin);
      this.#take(space);
      if (this.#text[this.#at] !== ':') this.#fail('A colon is expected after the name.');
      this.#at += 1;
      this.#take(space);
      // Not by assignment: that of __proto__ would change the object's prototype.
      const property = { value: this.#value(inner), configurable: true };
      Object.defineProperty(value, name, { ...property, enumerable: true, writable: true });
    });
    return value;
  }

  #array(path: readonly string[]): unknown[] {
    const value: unknown[] = [];
    this.#list(']', () => {
      const inner = [...path, String(value.length)];
      this.places.set(inner.join('.'), this.#at);
      value.push(this.#value(inner));
    });
    return value;
  }

  /** Items with commas between them, from the opening bracket to the closing one. */
  #list(end: string, item: () => void): void {
    this.#at += 1;
    this.#take(space);
    if (this.#text[this.#at] === end) {
      this.#at += 1;
      return;
    }
    for (;;) {
      item();
      this.#take(space);
      const next = this.#text[this.#at];
      if (next !== ',' && next !== end) this.#fail(`A comma or ${end} is expected here.`);
      this.#at += 1;
      if (next === end) return;
      this.#take(space);
      if (this.#text[this.#at] === end) this.#fail(`After a comma something follows, not ${end}.`);
    }
  }

  #string(): string {
    const found = this.#take(quoted);
    if (!found) this.#fail('This text does not end on its line, or has a character to be escaped.');
    return JSON.parse(found);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #fail(message: string): never {
    throw new JsonFault(message, this.#at);
  }
}

export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { line, column: offset - before.lastIndexOf('\n') };
}
