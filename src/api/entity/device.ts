/**
 * Devices and their last values, if the API stores them: a list made of the rows of their fields.
 */

import { type DevicePage, type DeviceRow, readDevices } from '../../store/read/devices.ts';
import { deviceValues } from '../../store/table/schema.ts';
import { builder } from '../base/builder.ts';
import type { Context } from '../base/context.ts';
import type { Span } from '../list/filters.ts';
import { defineOrder } from '../list/order.ts';
import { boundsOf, connectionOf, type PageArguments, type Side } from '../list/page.ts';
import { TimeRange } from './node.ts';

export const DeviceValue = builder.objectRef<DeviceRow['values'][number]>('DeviceValue').implement({
  fields: (t) => ({
    field: t.exposeString('field'),
    value: t.expose('value', { type: 'JSON' }),
    at: t.expose('at', { type: 'DateTime' }),
    receivedAt: t.expose('receivedAt', { type: 'DateTime' }),
  }),
});

const Device = builder.objectRef<DeviceRow>('Device').implement({
  fields: (t) => ({
    name: t.exposeString('device'),
    values: t.expose('values', { type: [DeviceValue] }),
    lastSeenAt: t.expose('at', { type: 'DateTime' }),
  }),
});

export const DeviceFilter = builder.inputType('DeviceFilter', {
  fields: (t) => ({
    name: t.stringList(),
    text: t.string(),
    lastSeenAt: t.field({ type: TimeRange }),
  }),
});

export const deviceOrder = defineOrder('Device', {
  by: { NAME: 'device', LAST_SEEN_AT: 'at' },
  unique: ['device'],
  initial: { field: 'NAME', direction: 'asc' },
});

export const DeviceConnection = builder.connectionObject({
  type: Device,
  name: 'DeviceConnection',
  fields: (t) => ({
    totalCount: t.int({
      resolve: (connection) => (connection as { totalCount?: number }).totalCount ?? 0,
    }),
  }),
});

export interface DeviceArguments extends PageArguments {
  filter?: {
    name?: readonly string[] | null;
    text?: string | null;
    lastSeenAt?: Span | null;
  } | null;
  orderBy?: Parameters<typeof deviceOrder.of>[0];
}

const noDevices: DevicePage = { devices: [], count: 0, hasLower: false, hasHigher: false };

/**
 * A page of the devices of one repository; those of all repositories in a request are read at once.
 */
export async function devicesOf(repositoryId: string, args: DeviceArguments, context: Context) {
  const order = deviceOrder.of(args.orderBy);
  const { after, before, direction, limit } = boundsOf(deviceValues, order, args);
  const ascending = order.direction === 'asc';
  const filter = args.filter ?? {};
  const page = await context.loaders.load<DevicePage>(
    `devices ${JSON.stringify(args)}`,
    repositoryId,
    (ids) =>
      readDevices(context.store, ids, {
        names: filter.name ?? null,
        text: filter.text ?? null,
        since: filter.lastSeenAt?.since ?? null,
        until: filter.lastSeenAt?.until ?? null,
        columns: order.columns as ('at' | 'device')[],
        direction,
        limit,
        greaterThan: ascending ? after : before,
        lessThan: ascending ? before : after,
      }),
  );
  const { devices, count, hasLower, hasHigher } = page ?? noDevices;
  const outside = (side: Side) => ((side === 'after') === ascending ? hasLower : hasHigher);
  return { ...connectionOf(devices, { order, args, outside }), totalCount: count };
}
