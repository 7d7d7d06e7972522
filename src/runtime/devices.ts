/**
 * The last value of each field of each device: in SQLite in the work folder (LOCAL), or through the
 * API (CLOUD), as the device repository's storage says. Bounded: a device too many is refused.
 */
import type { Api, DeviceValue } from './api.ts';
import type { FieldValue } from './fields.ts';
import { createOutbox } from './outbox.ts';
import { openSqlite } from './sqlite.ts';

/** A last value and when its message was taken. */
export interface LastValue {
  readonly value: FieldValue;
  readonly at: string;
}

export interface DeviceStorage {
  /** Keeps the values of one message. False: there is no room, and nothing of it was kept. */
  keep(device: string, values: ReadonlyMap<string, FieldValue>, at: string): boolean;
  /** The last values of a device; undefined where it never sent any. */
  last(device: string): ReadonlyMap<string, LastValue> | undefined;
  /** Resolves when everything kept is where it belongs. */
  flushed(): Promise<void>;
  close(): void;
}

const mostDevices = 10_000;
const mostWaitingValues = 50_000;

/** Keeps values in `devices.db` of the work folder, each before its message is accepted. */
export function openLocalDevices(folder: string): DeviceStorage {
  const table =
    'create table if not exists device_values (device text not null, field text not null, ' +
    'value text not null, at text not null, primary key (device, field)) without rowid';
  const database = openSqlite(folder, 'devices.db', table);
  const upsert = database.prepare(
    'insert into device_values (device, field, value, at) values (?, ?, ?, ?) ' +
      'on conflict (device, field) do update set value = excluded.value, at = excluded.at',
  );
  const select = database.prepare('select field, value, at from device_values where device = ?');
  const known = new Set(
    (
      database.prepare('select distinct device from device_values').all() as { device: string }[]
    ).map(({ device }) => device),
  );
  const write = database.transaction((device: string, values: [string, string][], at: string) => {
    for (const [field, value] of values) upsert.run(device, field, value, at);
  });
  return {
    keep(device, values, at) {
      if (!known.has(device) && known.size >= mostDevices) return false;
      const rows = [...values].map(([field, value]): [string, string] => [
        field,
        JSON.stringify(value),
      ]);
      write(device, rows, at);
      known.add(device);
      return true;
    },
    last(device) {
      if (!known.has(device)) return undefined;
      const rows = select.all(device) as { field: string; value: string; at: string }[];
      return new Map(
        rows.map(({ field, value, at }) => [field, { value: JSON.parse(value) as FieldValue, at }]),
      );
    },
    flushed: async () => {},
    close: () => database.close(),
  };
}

/**
 * Hands values to the API, newer ones of a field in place of older ones; remembers those of this
 * run. While the API is away it takes as many as it can hold.
 */
export function createCloudDevices(api: Api): DeviceStorage {
  const devices = new Map<string, Map<string, LastValue>>();
  const outbox = createOutbox<DeviceValue>({
    capacity: mostWaitingValues,
    batchItems: 500,
    send: (values) => api.reportDeviceValues(values),
  });
  return {
    keep(device, values, at) {
      const fields = devices.get(device) ?? new Map<string, LastValue>();
      if (!devices.has(device) && devices.size >= mostDevices) return false;
      const keys = new Map(
        [...values.keys()].map((field) => [field, JSON.stringify([device, field])]),
      );
      const added = [...keys.values()].filter((key) => !outbox.has(key)).length;
      if (added > outbox.room()) return false;
      devices.set(device, fields);
      for (const [field, value] of values) {
        fields.set(field, { value, at });
        outbox.put(keys.get(field) ?? field, { device, field, value, at });
      }
      return true;
    },
    last: (device) => devices.get(device),
    flushed: () => outbox.flushed(),
    close: () => outbox.close(),
  };
}
