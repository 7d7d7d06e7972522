/**
 * Values of devices that wait for the API, in `outbox.db` of the work folder: the newest of each
 * field of each device. A value is written before its message is accepted, and stays until the API
 * has taken it. Delivered values stay while there is room, to answer input commands.
 */
import { type BatchLimits, jsonBytes } from './delivery.ts';
import type { FieldValue } from './fields.ts';
import type { DeviceValue, LearnedValue } from './protocol.ts';
import { openSqlite, type SqliteDatabase } from './sqlite.ts';

/** A value, and the run in which it was accepted. */
export interface OutboxValue extends DeviceValue {
  readonly takenIn: string;
  /** What it adds to a report. */
  readonly bytes: number;
}

/** Limits of the content. */
export interface OutboxQuota {
  /** Values that are not delivered yet. */
  readonly waiting: Amount;
  /** Values that were delivered, or refused by the API. */
  readonly settled: Amount;
}

interface Amount {
  values: number;
  bytes: number;
}

/** The state of a value. */
const states = { waiting: 0, delivered: 1, refused: 2 } as const;

export const defaultQuota: OutboxQuota = {
  waiting: { values: 100_000, bytes: 64 * 1024 * 1024 },
  settled: { values: 50_000, bytes: 32 * 1024 * 1024 },
};

export interface OutboxOptions {
  readonly quota?: OutboxQuota | undefined;
  /** Called with each device of which settled values were deleted to make room. */
  readonly onEvicted?: (device: string) => void;
}

/** Its name in the work folder. */
export const outboxFile = 'outbox.db';
const table = /* sql */ `
create table if not exists reported_values (
  device text not null, field text not null, value text not null, at text not null,
  run text not null, number integer not null, bytes integer not null, state integer not null,
  primary key (device, field)) without rowid;
create index if not exists reported_values_number on reported_values (state, number)`;

export class ValueOutbox {
  readonly #database: SqliteDatabase;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #run: string;
  readonly #quota: OutboxQuota;
  readonly #onEvicted: (device: string) => void;
  readonly #waiting: Amount;
  #settled: Amount;
  #number: number;

  /** Opens or creates it. Values that earlier runs of the instance left behind wait again. */
  static async open(folder: string, run: string, options?: OutboxOptions): Promise<ValueOutbox> {
    return new ValueOutbox(await openSqlite(folder, outboxFile, table), run, options);
  }

  private constructor(database: SqliteDatabase, run: string, options: OutboxOptions = {}) {
    this.#run = run;
    this.#quota = options.quota ?? defaultQuota;
    this.#onEvicted = options.onEvicted ?? (() => {});
    this.#database = database;
    this.#statements = prepare(this.#database);
    this.#database.exec(
      `update reported_values set state = ${states.waiting} where state = ${states.refused}`,
    );
    this.#waiting = this.#amountOf(`= ${states.waiting}`);
    this.#settled = this.#amountOf(`<> ${states.waiting}`);
    this.#number = (this.#statements.lastNumber.get() as { number: number }).number;
  }

  get isEmpty(): boolean {
    return this.#waiting.values === 0;
  }

  /** Stores the values of one message; they replace older ones. False: the quota is reached. */
  put(device: string, values: ReadonlyMap<string, FieldValue>, at: string): boolean {
    const rows = [...values].map(([field, value]): Row => {
      const bytes = jsonBytes({ device, field, value, at, number: this.#number });
      const before = this.#statements.find.get(device, field) as Row['before'];
      return { field, text: JSON.stringify(value), bytes, before };
    });
    const more = { values: 0, bytes: 0 };
    const replaced = { values: 0, bytes: 0 };
    for (const { bytes, before } of rows) {
      const isWaiting = before?.state === states.waiting;
      add(more, { values: isWaiting ? 0 : 1, bytes: bytes - (isWaiting ? before.bytes : 0) });
      if (before && !isWaiting) add(replaced, { values: -1, bytes: -before.bytes });
    }
    const after = { ...this.#waiting };
    add(after, more);
    if (!isWithin(after, this.#quota.waiting)) return false;
    this.#database.transaction(() => {
      for (const { field, text, bytes } of rows) {
        this.#number += 1;
        const { waiting } = states;
        this.#statements.put.run(device, field, text, at, this.#run, this.#number, bytes, waiting);
      }
    })();
    add(this.#waiting, more);
    add(this.#settled, replaced);
    return true;
  }

  /** The oldest waiting values of one run. */
  head(most: BatchLimits): readonly OutboxValue[] {
    const found = (this.#statements.oldest.all(most.items) as StoredValue[]).map(parsed);
    let bytes = 0;
    const over = found.findIndex((value, index) => {
      bytes += value.bytes;
      return index > 0 && (bytes > most.bytes || value.takenIn !== found[0]?.takenIn);
    });
    return over === -1 ? found : found.slice(0, over);
  }

  delivered(values: readonly OutboxValue[]): void {
    this.#settle(states.delivered, values);
  }

  /** Does not send it again in this run; the next run tries again. */
  setAside(value: OutboxValue): void {
    this.#settle(states.refused, [value]);
  }

  /** Stores the values that the API has of a device, unless newer ones are here. */
  learn(device: string, values: readonly LearnedValue[]): void {
    this.#database.transaction(() => {
      for (const { field, value, at } of values) {
        const text = JSON.stringify(value);
        this.#statements.learn.run(device, field, text, at, Buffer.byteLength(text), this.#run);
      }
    })();
    this.#settled = this.#amountOf(`<> ${states.waiting}`);
    this.#makeRoom();
  }

  last(device: string): readonly DeviceValue[] {
    return (this.#statements.ofDevice.all(device) as StoredValue[]).map(parsed);
  }

  close(): void {
    this.#database.close();
  }

  #settle(state: number, values: readonly OutboxValue[]): void {
    const settle = this.#database.transaction(() =>
      // A value that was replaced meanwhile has another number, and still waits.
      values.filter(
        ({ device, field, number }) =>
          this.#statements.settle.run(state, device, field, number).changes > 0,
      ),
    );
    for (const { bytes } of settle()) {
      add(this.#waiting, { values: -1, bytes: -bytes });
      add(this.#settled, { values: 1, bytes });
    }
    this.#makeRoom();
  }

  #makeRoom(): void {
    if (isWithin(this.#settled, this.#quota.settled)) return;
    const evicted = this.#statements.evict.all(Math.ceil(this.#settled.values / 4));
    for (const device of new Set((evicted as { device: string }[]).map((row) => row.device))) {
      this.#onEvicted(device);
    }
    this.#settled = this.#amountOf(`<> ${states.waiting}`);
  }

  #amountOf(state: string): Amount {
    return this.#statements.amountOf(state).get() as Amount;
  }
}

interface Row {
  readonly field: string;
  readonly text: string;
  readonly bytes: number;
  /** The present value of the field. */
  readonly before: { readonly bytes: number; readonly state: number } | undefined;
}

interface StoredValue extends Omit<OutboxValue, 'value'> {
  readonly value: string;
}

const parsed = ({ value, ...rest }: StoredValue): OutboxValue => ({
  ...rest,
  value: JSON.parse(value) as FieldValue,
});

function prepare(database: SqliteDatabase) {
  const columns = 'device, field, value, at, run as "takenIn", number, bytes';
  const replace = `on conflict (device, field) do update set value = excluded.value,
    at = excluded.at, run = excluded.run, number = excluded.number, bytes = excluded.bytes,
    state = excluded.state`;
  return {
    find: database.prepare(
      'select bytes, state from reported_values where device = ? and field = ?',
    ),
    put: database.prepare(`insert into reported_values values (?, ?, ?, ?, ?, ?, ?, ?) ${replace}`),
    learn: database.prepare(
      `insert into reported_values values (?, ?, ?, ?, '', 0, ?, ${states.delivered}) ${replace}
        where reported_values.state = ${states.delivered} and reported_values.run <> ?`,
    ),
    oldest: database.prepare(
      `select ${columns} from reported_values where state = ${states.waiting}
        order by number limit ?`,
    ),
    settle: database.prepare(
      `update reported_values set state = ? where device = ? and field = ? and number = ?
          and state = ${states.waiting}`,
    ),
    evict: database.prepare(
      `delete from reported_values where (device, field) in (
         select device, field from reported_values where state <> ${states.waiting}
          order by number limit ?)
       returning device`,
    ),
    ofDevice: database.prepare(
      `select ${columns} from reported_values where device = ? order by field`,
    ),
    lastNumber: database.prepare('select coalesce(max(number), 0) as number from reported_values'),
    amountOf: (state: string) =>
      database.prepare(
        `select count(*) as "values", coalesce(sum(bytes), 0) as bytes
           from reported_values where state ${state}`,
      ),
  };
}

function add(amount: Amount, more: Amount): void {
  amount.values += more.values;
  amount.bytes += more.bytes;
}

const isWithin = (amount: Amount, most: Amount) =>
  amount.values <= most.values && amount.bytes <= most.bytes;
