/**
 * Prepared statements for PGlite, whose `query()` parses and plans every text anew: for the door's
 * one long statement that is nearly all of its time.
 */
import { type PGlite, parse, protocol } from '@electric-sql/pglite';
import { type Parameter, sqlState } from './database.ts';

const { serialize, messages } = protocol;

type Message = Awaited<ReturnType<PGlite['execProtocolStream']>>[number];

interface Prepared {
  readonly name: string;
  readonly parameterTypes: readonly number[];
  /** The description of the rows, as the server sent it; none where the statement returns none. */
  readonly description: readonly Message[];
}

export interface Statements {
  /** Runs one statement outside of any transaction; the same text again is not planned again. */
  query<R extends object>(text: string, parameters: readonly Parameter[]): Promise<R[]>;
  /** Forgets all of them: the tables have changed. */
  clear(): Promise<void>;
}

/** As many texts are kept; the one used longest ago gives way. */
const MOST = 300;
/** "cached plan must not change result type": a table has changed under a statement. */
const RESULT_CHANGED = '0A000';

/** Keeps the prepared statements of one open PGlite; there is one session, so one set. */
export function keepStatements(client: PGlite): Statements {
  const kept = new Map<string, Prepared>();
  let made = 0;

  /** Nothing else talks to the database meanwhile, and no transaction is open. */
  const exclusively = <T>(work: () => Promise<T>): Promise<T> =>
    client._runExclusiveTransaction(() => client._runExclusiveQuery(work));

  // Sent with its Sync, so that after an error too the session is ready for the next one.
  const send = (...parts: Uint8Array[]): Promise<Message[]> =>
    client.execProtocolStream(Buffer.concat([...parts, serialize.sync()]), { syncToFs: false });

  async function close(text: string): Promise<void> {
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
      description: answer.filter((message) => message instanceof messages.RowDescriptionMessage),
    };
    kept.set(text, prepared);
    const [oldest] = kept.keys();
    if (kept.size > MOST && oldest !== undefined) await close(oldest);
    return prepared;
  }

  function literal(value: Parameter, type: number | undefined): string | null {
    if (value === null) return null;
    const serializer = type === undefined ? undefined : client.serializers[type];
    return serializer ? serializer(value) : String(value);
  }

  async function run<R extends object>(
    text: string,
    parameters: readonly Parameter[],
  ): Promise<R[]> {
    const { name, parameterTypes, description } = await prepare(text);
    const values = parameters.map((value, index) => literal(value, parameterTypes[index]));
    const answer = await send(serialize.bind({ statement: name, values }), serialize.execute({}));
    const [result] = parse.parseResults([...description, ...answer], client.parsers);
    return (result?.rows ?? []) as R[];
  }

  return {
    query<R extends object>(text: string, parameters: readonly Parameter[]) {
      return exclusively(async () => {
        try {
          return await run<R>(text, parameters);
        } catch (error) {
          if (sqlState(error) !== RESULT_CHANGED || !kept.has(text)) throw error;
          await close(text);
          return await run<R>(text, parameters);
        }
      });
    },
    clear() {
      return exclusively(async () => {
        for (const text of [...kept.keys()]) await close(text);
      });
    },
  };
}
