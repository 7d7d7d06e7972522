import { lexicographicSortSchema, printSchema, printType, validateSchema } from 'graphql';
import { expect, test } from 'vitest';
import { loadSchemaSdl } from '../../schema/load.ts';
import { buildSchema } from '../../src/api/schema.ts';

const built = lexicographicSortSchema(buildSchema());
const contract = lexicographicSortSchema(loadSchemaSdl().schema);

const typeNames = (schema: typeof built) =>
  Object.keys(schema.getTypeMap()).filter((name) => !name.startsWith('__'));

test('the built schema is valid', () => {
  expect(validateSchema(built)).toEqual([]);
});

test('the built schema has the types of the contract, all and no others', () => {
  expect(typeNames(built)).toEqual(typeNames(contract));
});

// Type by type first: a difference of one is readable, one of the whole is not.
test.each(typeNames(contract))('%s is as the contract says', (name) => {
  const type = built.getType(name);
  const promised = contract.getType(name);
  expect(type && printType(type)).toBe(promised && printType(promised));
});

test('the built schema is the contract, word for word', () => {
  expect(printSchema(built) === printSchema(contract)).toBe(true);
});
