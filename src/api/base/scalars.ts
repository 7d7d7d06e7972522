/** DateTime, JSON and Cursor. */
import { GraphQLError, Kind, type ValueNode } from 'graphql';
import { builder } from './builder.ts';
import { parseTime } from './time.ts';

/** A point in time as the API shows it: UTC, with milliseconds. */
export function dateTimeOf(value: Date | string): string {
  return new Date(value).toISOString();
}

function parseDateTime(value: unknown): Date {
  const time = typeof value === 'string' ? parseTime(value) : null;
  if (time) return time;
  throw new GraphQLError(
    'A DateTime is an RFC 3339 time of a date that exists, such as 2026-01-31T09:30:00.000Z.',
  );
}

builder.scalarType('DateTime', {
  serialize: dateTimeOf,
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : null),
});

builder.scalarType('JSON', {
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: jsonOf,
});

builder.scalarType('Cursor', {
  serialize: (value) => value,
  parseValue: cursorOf,
  parseLiteral: (node) => cursorOf(node.kind === Kind.STRING ? node.value : null),
});

function cursorOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new GraphQLError('A Cursor is a string that this API has handed out.');
}

function jsonOf(node: ValueNode, variables?: Readonly<Record<string, unknown>> | null): unknown {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((value) => jsonOf(value, variables));
    case Kind.OBJECT:
      return Object.fromEntries(
        node.fields.map(({ name, value }) => [name.value, jsonOf(value, variables)]),
      );
    case Kind.VARIABLE:
      return variables?.[node.name.value];
    default:
      return node satisfies never;
  }
}
