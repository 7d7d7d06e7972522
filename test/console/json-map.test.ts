/** The console's reader of JSON: it takes what `JSON.parse` takes, and names the place of each part. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonFault, parseJson, placeAt } from '../../src/console/solutions/json-map.ts';

const outcomeOf = (read: () => unknown) => {
  try {
    return { value: read() };
  } catch {
    return 'no JSON';
  }
};

test('it reads what JSON.parse reads, and refuses what that refuses', () => {
  const pieces = fc.constantFrom(
    ...['{', '}', '[', ']', ',', ':', '"a"', '"__proto__"', '"\\u00e9"', '"\\x"', '"', ' ', '\n'],
    ...['1', '-0', '01', '1.', '1e5', 'true', 'nul', 'null', '\u0085', '\u0001', '\ud800'],
  );
  const broken = fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join(''));
  const sound = fc.json({ maxDepth: 4 });
  fc.assert(
    fc.property(fc.oneof(broken, sound), (text) => {
      expect(outcomeOf(() => parseJson(text).value)).toEqual(outcomeOf(() => JSON.parse(text)));
    }),
    { numRuns: 1000 },
  );
});

test('a part has its line and column, what is missing those of its parent', () => {
  const text = '{\n  "listeners": {\n    "http": { "port": 70000 }\n  }\n}';
  const { placeOf } = parseJson(text);
  expect(placeAt(text, placeOf('listeners.http.port'))).toEqual({ line: 3, column: 15 });
  expect(placeAt(text, placeOf('listeners.http.protocol'))).toEqual({ line: 3, column: 5 });
  expect(placeAt(text, placeOf('messages'))).toEqual({ line: 1, column: 1 });
});

test('a fault of the syntax has its place', () => {
  const text = '{\n  "a": 1,\n}';
  let fault: unknown;
  try {
    parseJson(text);
  } catch (error) {
    fault = error;
  }
  expect(fault).toBeInstanceOf(JsonFault);
  expect(placeAt(text, (fault as JsonFault).offset)).toEqual({ line: 3, column: 1 });
  expect(parseJson('{ "a": 1, "a": 2 }').doubles).toEqual([{ path: 'a', offset: 10 }]);
});
