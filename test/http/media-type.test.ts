/** Which bodies and answers are JSON, as their headers name them. */
import { expect, test } from 'vitest';
import { accepts, jsonRefusal } from '../../src/http/media-type.ts';

test.each([
  'application/json',
  'Application/JSON',
  'application/json ; charset="utf-8"',
  'application/json;charset=UTF-8',
  ' application/json\t;\tCharset=utf8 ; profile="a;b\\"c"',
  'application/json;',
])('%s is taken', (type) => {
  expect(jsonRefusal({ 'content-type': type })).toBeNull();
  expect(jsonRefusal({ 'content-type': type, 'content-encoding': 'Identity' })).toBeNull();
});

test.each([
  undefined,
  '',
  'text/plain',
  'application/jsonp',
  'application/json, text/plain',
  'application/json; charset=iso-8859-1',
  'application/json; charset=utf-8; charset=utf-16',
  'application/json; charset=',
  'application/json; charset="utf-8',
  'application / json',
])('%s is refused, and the refusal says what is taken', (type) => {
  expect(jsonRefusal({ 'content-type': type })).toMatch(/application\/json.*UTF-8/);
});

test('a compressed body is refused; another type is taken where it is listed', () => {
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
  expect(jsonRefusal(headers)).toContain('uncompressed');
  const graphql = { 'content-type': 'application/GraphQL+json' };
  expect(jsonRefusal(graphql)).not.toBeNull();
  expect(jsonRefusal(graphql, ['application/json', 'application/graphql+json'])).toBeNull();
});

test.each([
  ['', true],
  ['*/*', true],
  ['Application/*;q=0.2', true],
  ['text/html, APPLICATION/JSON ; q=0.5', true],
  ['application/json;q=0', false],
  ['application/json;q=0.000, text/plain', false],
  ['text/plain', false],
  ['image/*', false],
])('Accept: %s', (accept, expected) => {
  expect(accepts(accept, ['application/json'])).toBe(expected);
});
