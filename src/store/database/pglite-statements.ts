/**
 * Prepared statements for PGlite. Its own `query()` parses and plans each text again, which takes most
 * of the time of the long commit statement.
 */
import { type PGlite, parse, protocol } from '@electric-sql/pglite';
import type { Parameter } from './database.ts';
import { sqlState } from './sql-error.ts';

const { serialize, messages } = protocol;

const sync = serialize.sync();
const execute = serialize.execute({});

type Message = Awaited<ReturnType<PGlite['execProtocolStream']>>[number];
type Field = InstanceType<typeof messages.RowDescriptionMessage>['fields'][number];

interface Prepared {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  /** Column descriptions of the result; empty if the statement returns no rows. */
  readonly fields: readonly Field[];
}

/** A queued statement. */
interface Waiting {
  readonly text: string;
  readonly parameters: readonly Parameter[];
  /** It was sent once already, and its plan was stale. */
  isRepeated?: boolean;
  resolve(rows: object[]): void;
  reject(error: unknown): void;
}

export interface Statements {
  /**
   * Runs one statement in a transaction of its own, in the order of the calls. The same text is
   * planned once.
   */
  query<R extends object>(text: string, parameters: readonly Parameter[]): Promise<R[]>;
  /** Drops all prepared statements, after a migration. */
  clear(): Promise<void>;
  /** Resolves when the queue is empty. */
  settled(): Promise<void>;
}

/** Queued statements sent in one call: a call into PGlite costs as much as a short statement. */
const MAX_BATCHED_STATEMENTS = 16;
/** Prepared texts that are kept; the least recently used is dropped. */
const MAX_PREPARED_STATEMENTS = 300;
/** "cached plan must not change result type": a table has changed under a statement. */
const RESULT_CHANGED = '0A000';

/** Prepares each text once. Must be called while no other statement is open. */
function createPreparation(client: PGlite) {
  const kept = new Map<string, Prepared>();
  let made = 0;

  // Sent with its Sync, so that after an error too the session is ready for the next one.
  const send = (...parts: Uint8Array[]): Promise<Message[]> =>
    client.execProtocolStream(Buffer.concat([...parts, sync]), { syncToFs: false });

  async function drop(text: string): Promise<void> {
    const name = kept.get(text)?.name;
    kept.delete(text);
    if (name) await send(serialize.close({ type: 'S', name }));
  }

  async function prepare(text: string): Promise<Prepared> {
    const found = kept.get(text);
    if (found) {
      kept.delete(text);
      kept.set(text, found);
      return found;
    }
    made += 1;
    const name = `s${made}`;
    const answer = await send(
      serialize.parse({ name, text }),
      serialize.describe({ type: 'S', name }),
    );
    const prepared: Prepared = {
      name,
      parameterTypes: parse.parseDescribeStatementResults(answer),
      fields: answer.flatMap((message) =>
        message instanceof messages.RowDescriptionMessage ? message.fields : [],
      ),
    };
    kept.set(text, prepared);
    const [oldest] = kept.keys();
    if (kept.size > MAX_PREPARED_STATEMENTS && oldest !== undefined) await drop(oldest);
    return prepared;
  }

  return {
    prepare,
    drop,
    async dropAll(): Promise<void> {
      for (const text of [...kept.keys()]) await drop(text);
    },
  };
}

function literal(client: PGlite, value: Parameter, type: number | undefined): string | null {
  if (value === null) return null;
  const serializer = type === undefined ? undefined : client.serializers[type];
  return serializer ? serializer(value) : String(value);
}

function rowOf(
  client: PGlite,
  fields: readonly Field[],
  values: readonly (string | null)[],
): object {
  const row: Record<string, unknown> = {};
  fields.forEach(({ name, dataTypeID }, at) => {
    const value = values[at] ?? null;
    const parser = value === null ? undefined : client.parsers[dataTypeID];
    row[name] = parser ? parser(value as string, dataTypeID) : value;
  });
  return row;
}

/** Keeps the prepared statements of an open PGlite, which has one session. */
export function keepStatements(client: PGlite): Statements {
  const { prepare, drop, dropAll } = createPreparation(client);
  const waiting: Waiting[] = [];
  let draining: Promise<void> | null = null;

  /** Runs `work` while no other statement and no transaction is open. */
  const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
    client._runExclusiveTransaction(() => client._runExclusiveQuery(work));

  /**
   * Sends a batch, each statement in a transaction of its own, and settles each. Returns those to
   * repeat.
   */
  async function run(batch: readonly Waiting[]): Promise<Waiting[]> {
    const again: Waiting[] = [];
    const parts: Uint8Array[] = [];
    const sent: { waits: Waiting; fields: readonly Field[] }[] = [];
    for (const waits of batch) {
      try {
        const { name, parameterTypes, fields } = await prepare(waits.text);
        const values = waits.parameters.map((value, at) =>
          literal(client, value, parameterTypes[at]),
        );
        parts.push(serialize.bind({ statement: name, values }), execute, sync);
        sent.push({ waits, fields });
      } catch (error) {
        waits.reject(error);
      }
    }
    if (sent.length === 0) return again;
    const answer = await client.execProtocolStream(Buffer.concat(parts), {
      syncToFs: false,
      throwOnError: false,
    });
    let at = 0;
    for (const { waits, fields } of sent) {
      const rows: object[] = [];
      let error: unknown = null;
      for (; ; at += 1) {
        const message = answer[at];
        if (message === undefined) throw new Error('PGlite did not answer every statement.');
        if (message.name === 'readyForQuery') break;
        if (message instanceof messages.DataRowMessage)
          rows.push(rowOf(client, fields, message.fields));
        else if (message instanceof messages.DatabaseError) error ??= message;
      }
      at += 1;
      if (error === null) waits.resolve(rows);
      else if (sqlState(error) === RESULT_CHANGED && !waits.isRepeated) again.push(waits);
      else waits.reject(error);
    }
    return again;
  }

  /** Sends the queue in order. Other callers of PGlite get in between two batches. */
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      let batch: Waiting[] = [];
      try {
        await exclusively(async () => {
          batch = waiting.splice(0, MAX_BATCHED_STATEMENTS);
          for (const waits of await run(batch)) {
            await drop(waits.text);
            await run([Object.assign(waits, { isRepeated: true })]);
          }
        });
      } catch (error) {
        for (const { reject } of batch.length > 0 ? batch : waiting.splice(0)) reject(error);
      }
    }
    draining = null;
  }

  return {
    query<R extends object>(text: string, parameters: readonly Parameter[]) {
      return new Promise<R[]>((resolve, reject) => {
        waiting.push({ text, parameters, resolve: resolve as (rows: object[]) => void, reject });
        draining ??= drain();
      });
    },
    clear() {
      return exclusively(dropAll);
    },
    async settled() {
      await draining;
    },
  };
}
