/** The order of a list, as callers choose it. */
import type { InputRef } from '@pothos/core';
import { builder } from '../base/builder.ts';
import { OrderDirection } from '../base/enums.ts';
import type { Direction, Order } from './page.ts';

export type OrderArgument = { field: string; direction: 'ASC' | 'DESC' };

export interface OrderDefinition {
  readonly input: InputRef<OrderArgument>;
  of(argument: OrderArgument | null | undefined): Order;
}

/**
 * Defines `<name>Order` and `<name>OrderField`.
 *
 * @param options.by the columns of each field, by its name in the API
 * @param options.unique columns that break ties; `id` by default
 */
export function defineOrder(
  name: string,
  options: {
    by: Readonly<Record<string, string | readonly string[]>>;
    unique?: readonly string[];
    initial: { field: string; direction: Direction };
  },
): OrderDefinition {
  const Field = builder.enumType(`${name}OrderField`, { values: Object.keys(options.by) });
  const input = builder.inputType(`${name}Order`, {
    fields: (t) => ({
      field: t.field({ type: Field, required: true }),
      direction: t.field({ type: OrderDirection, required: true, defaultValue: 'ASC' }),
    }),
  });
  const unique = options.unique ?? ['id'];
  return {
    input: input as unknown as InputRef<OrderArgument>,
    of(argument) {
      const field = argument?.field ?? options.initial.field;
      const columns = [options.by[field] ?? []].flat();
      return {
        name: field,
        columns: [...columns, ...unique.filter((column) => !columns.includes(column))],
        direction: argument
          ? argument.direction === 'ASC'
            ? 'asc'
            : 'desc'
          : options.initial.direction,
      };
    },
  };
}

/** The order of lists of entries that have a key, a name and no state. */
export function entryOrder(name: string): OrderDefinition {
  return defineOrder(name, {
    by: { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt', UPDATED_AT: 'updatedAt' },
    initial: { field: 'KEY', direction: 'asc' },
  });
}

/** The order of lists of resources, which have a state as well. */
export function resourceOrder(name: string): OrderDefinition {
  return defineOrder(name, {
    by: {
      KEY: 'key',
      NAME: 'name',
      STATE: 'state',
      STATE_SINCE: 'stateSince',
      CREATED_AT: 'createdAt',
      UPDATED_AT: 'updatedAt',
    },
    initial: { field: 'KEY', direction: 'asc' },
  });
}
