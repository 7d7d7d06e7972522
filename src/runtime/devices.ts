/**
 * The last value of each field of each device, and its storage on the host alone (LOCAL): SQLite in
 * the work folder. The number of devices is bounded.
 */
import type { FieldValue } from './fields.ts';
import { openSqlite } from './sqlite.ts';

/** A last value, and when its message was accepted. */
export interface LastValue {
  readonly value: FieldValue;
  readonly at: string;
}

/** The outcome for the values of a message. Either all are stored or none. */
export type Kept =
  | 'KEPT'
  /** There is no room now. */
  | 'FULL'
  /** It could never be delivered: this field is longer than the API accepts. */
  | { readonly tooLong: string; readonly maxBytes: number };

/** The last values of a device are not available now. */
export class ValuesUnavailable extends Error {
  override readonly name = 'ValuesUnavailable';
}

export interface DeviceStorage {
  /** Stores the values of one message. They outlive the process. Rejects if the file fails. */
  keep(device: string, values: ReadonlyMap<string, FieldValue>, at: string): Promise<Kept>;
  /**
   * The last values of a device; undefined if it never sent any. Rejects with `ValuesUnavailable`.
   */
  last(device: string): Promise<ReadonlyMap<string, LastValue> | undefined>;
  /** Resolves when everything stored has reached its destination. */
  flushed(): Promise<void>;
  close(): void;
}

const maxDevices = 10_000;

/**
 * Opens a storage with its first use. One that cannot be opened is tried again with the next use.
 */
export function openOnDemand(open: () => Promise<DeviceStorage>): DeviceStorage {
  let opening: Promise<DeviceStorage> | undefined;
  const opened = () => {
    opening ??= open().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    keep: async (...values) => (await opened()).keep(...values),
    last: async (device) => (await opened()).last(device),
    flushed: async () => await (await opening)?.flushed(),
    close() {
      opening?.then(
        (storage) => storage.close(),
        () => undefined,
      );
    },
  };
}

/** The file of `openLocalDevices` in the work folder. */
export const localDevicesFile = 'devices.db';

/** Stores values in SQLite, before their message is accepted. */
export async function openLocalDevices(folder: string): Promise<DeviceStorage> {
  const table =
    'create table if not exists device_values (device text not null, field text not null, ' +
    'value text not null, at text not null, primary key (device, field)) without rowid';
  const database = await openSqlite(folder, localDevicesFile, table);
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
    async keep(device, values, at) {
      if (!known.has(device) && known.size >= maxDevices) return 'FULL';
      const rows = [...values].map(([field, value]): [string, string] => [
        field,
        JSON.stringify(value),
      ]);
      write(device, rows, at);
      known.add(device);
      return 'KEPT';
    },
    async last(device) {
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
