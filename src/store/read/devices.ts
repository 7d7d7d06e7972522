/** Reads the devices of device repositories whose storage is CLOUD: the last values, by device. */

import type { Store } from '../commit/store.ts';
import type { Parameter } from '../database/database.ts';

export interface LastValue {
  readonly field: string;
  readonly value: unknown;
  /** By the clock of the runtime's host. */
  readonly at: string;
  readonly receivedAt: string;
}

export interface DeviceRow {
  readonly device: string;
  /** When the last of its values was received. */
  readonly at: string;
  readonly values: LastValue[];
}

export interface DevicePage {
  readonly devices: DeviceRow[];
  /** The number of all matching devices, on all pages. */
  readonly count: number;
  /** Are there matching devices that are not greater than `greaterThan`, or not less than `lessThan`? */
  readonly hasLower: boolean;
  readonly hasHigher: boolean;
}

export interface DeviceQuery {
  readonly names: readonly string[] | null;
  /** A part of the name, without regard to case and accents. */
  readonly text: string | null;
  readonly since: Date | null;
  readonly until: Date | null;
  /** By name, or by the time of the last message and then by name. */
  readonly columns: readonly ('at' | 'device')[];
  readonly direction: 'asc' | 'desc';
  readonly limit: number;
  /** The values of `columns` that bound the page. */
  readonly greaterThan: readonly unknown[] | null;
  readonly lessThan: readonly unknown[] | null;
}

/** The same page of each of these repositories, by repository, in one statement. */
export async function readDevices(
  store: Store,
  repositoryIds: readonly string[],
  query: DeviceQuery,
): Promise<Map<string, DevicePage>> {
  const parameters: Parameter[] = [];
  const parameter = (value: unknown, type: string): string => {
    parameters.push(value instanceof Date ? value.toISOString() : (value as Parameter));
    return `$${parameters.length}::${type}`;
  };
  const list = (values: readonly string[]) =>
    `(select jsonb_array_elements_text(${parameter(JSON.stringify(values), 'text::jsonb')}))`;
  const types = { at: 'timestamptz', device: 'text' } as const;
  const beyond = (operator: string, values: readonly unknown[]) => {
    const bounds = query.columns.map((column, index) => parameter(values[index], types[column]));
    return `(${query.columns.join(', ')}) ${operator} (${bounds.join(', ')})`;
  };
  const matching =
    'jsonb_to_recordset(total.matching) as one(device text collate name_order, at timestamptz)';
  const hasOutside = (operator: string, values: readonly unknown[] | null) =>
    values ? `exists (select from ${matching} where not ${beyond(operator, values)})` : 'false';
  const order = query.columns.map((column) => `${column} ${query.direction}`).join(', ');
  const where = [
    'device_repository_id = wanted.id',
    ...(query.names ? [`device in ${list(query.names)}`] : []),
    ...(query.text
      ? [`strpos(folded(device), (select folded(${parameter(query.text, 'text')}))) > 0`]
      : []),
  ];
  const having = [
    ...(query.since ? [`max(received_at) >= ${parameter(query.since, 'timestamptz')}`] : []),
    ...(query.until ? [`max(received_at) < ${parameter(query.until, 'timestamptz')}`] : []),
  ];
  const page = [
    ...(query.greaterThan ? [beyond('>', query.greaterThan)] : []),
    ...(query.lessThan ? [beyond('<', query.lessThan)] : []),
  ];
  const rows = await store.database.query<DevicePage & { repositoryId: string }>(
    /* sql */ `
    select wanted.id as "repositoryId", total.count, page.devices,
           ${hasOutside('>', query.greaterThan)} as "hasLower",
           ${hasOutside('<', query.lessThan)} as "hasHigher"
      from (select value::uuid as id
              from jsonb_array_elements_text(${parameter(JSON.stringify(repositoryIds), 'text::jsonb')})) wanted
     cross join lateral (
       select coalesce(jsonb_agg(matching), '[]') as matching, count(*)::integer as count
         from (select device, max(received_at) as at from device_values
                where ${where.join(' and ')} group by device
                ${having.length ? `having ${having.join(' and ')}` : ''}) matching) total
     cross join lateral (
       select coalesce(jsonb_agg(jsonb_build_object('device', device, 'at', at, 'values', (
                select jsonb_agg(jsonb_build_object('field', v.field, 'value', v.value, 'at', v.at,
                                                     'receivedAt', v.received_at)
                                 order by v.field collate name_order)
                  from device_values v
                 where v.device_repository_id = wanted.id and v.device = shown.device))
              order by ${order}), '[]') as devices
         from (select * from ${matching}
                ${page.length ? `where ${page.join(' and ')}` : ''}
                order by ${order} limit ${parameter(query.limit, 'integer')}) shown) page`,
    parameters,
  );
  return new Map(rows.map(({ repositoryId, ...found }) => [repositoryId, found]));
}

/**
 * Last values of a device in the repository of an instance, ordered by field, behind a field: as
 * many as the limits allow, at least one if there is any. It reads one value at a time, because
 * reading the size of a long value means reading the value.
 */
export function readLastValues(
  store: Pick<Store, 'database'>,
  page: {
    readonly instanceId: string;
    readonly device: string;
    readonly after: string;
    readonly mostValues: number;
    /** Of the values as JSON. */
    readonly mostBytes: number;
  },
): Promise<LastValue[]> {
  return store.database.query<LastValue & Record<string, unknown>>(
    /* sql */ `
    with recursive page as (
      select first.*, octet_length(first.value::text) as bytes, 1 as count
        from (
          select v.* from instances i
           cross join lateral (
             select * from device_values v
              where v.device_repository_id = i.device_repository_id
                and v.device = $2 and v.field > $3
              order by v.field limit 1) v
           where i.id = $1::uuid) first
      union all
      select next.*, page.bytes + octet_length(next.value::text), page.count + 1
        from page
       cross join lateral (
         select * from device_values v
          where v.device_repository_id = page.device_repository_id
            and v.device = page.device and v.field > page.field
          order by v.field limit 1) next
       where page.count < $4::int and page.bytes + octet_length(next.value::text) <= $5::int
    )
    select field, value, at, received_at as "receivedAt" from page order by count`,
    [page.instanceId, page.device, page.after, page.mostValues, page.mostBytes],
  );
}
