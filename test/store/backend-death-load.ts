/**
 * The load of backend-death.test.ts, a process of its own so that its exit code tells of an uncaught
 * exception or rejection: short queries in all the forms that the store uses, until its input ends, while
 * their backends are being terminated. Prints the counts as JSON.
 *
 *     node --import tsx test/store/backend-death-load.ts URL [ENTRY OF ANOTHER POSTGRES.JS]
 *
 * With COUNT_UNCAUGHT=1 what is uncaught is counted in place of ending the process: to measure.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const [url = '', module = 'postgres'] = process.argv.slice(2);
const postgres: typeof import('postgres') = (await import(module)).default;

const counts = { succeeded: 0, refused: 0, uncaught: 0, other: [] as string[] };
if (process.env.COUNT_UNCAUGHT) {
  process.on('uncaughtException', (error) => {
    counts.uncaught += 1;
    if (counts.uncaught <= 3) console.error(error);
  });
}

/** Errors that mean "the connection was lost", the only ones that this load may see. */
const lost = new Set(['CONNECTION_CLOSED', 'CONNECTION_ENDED', 'CONNECT_TIMEOUT', 'ECONNRESET']);
lost.add('EPIPE').add('57P01').add('57P02').add('57P03');

const options = { onnotice: () => {}, max: 8, max_lifetime: 1, connect_timeout: 5 };
const sql = postgres(url, options);

const forms: (() => Promise<unknown>)[] = [
  () => sql`SELECT ${1}::int AS one`.then(([row]) => expectValue(row?.one, 1)),
  () => sql.unsafe('SELECT $1::int AS one', [1], { prepare: true }),
  () => sql.unsafe('SELECT $1::text AS long', ['x'.repeat(2_000)]),
  () => Promise.all([sql`SELECT 1`, sql`SELECT 2`, sql`SELECT pg_sleep(0.01)`]),
  () =>
    sql.begin(async (transaction) => {
      await transaction`SELECT 1`;
      await sleep(Math.random() * 30);
      await transaction`SELECT 2`;
    }),
  () =>
    sql.begin(async (transaction) => {
      await sleep(Math.random() * 30);
      await Promise.all([1, 2, 3].map((n) => transaction`SELECT ${n}::int`));
      await transaction.savepoint((inner) => inner`SELECT ${'y'.repeat(2_000)}`);
    }),
];

function expectValue(value: unknown, wanted: unknown): void {
  if (value !== wanted) throw new Error(`another query's answer: ${String(value)}`);
}

let isOver = false;
process.stdin.on('end', () => (isOver = true)).resume();

async function work(offset: number): Promise<void> {
  for (let n = offset; !isOver; n += 1) {
    try {
      await forms[n % forms.length]?.();
      counts.succeeded += 1;
    } catch (error) {
      const { code = '', message = '' } = error as { code?: string; message?: string };
      if (lost.has(code)) counts.refused += 1;
      else counts.other.push(`${code} ${message}`.slice(0, 200));
    }
  }
}

const listening = sql.listen('backend_death', () => {}).catch(() => {});
await Promise.all(Array.from({ length: 24 }, (_, offset) => work(offset)));
await listening;

const [row] = await sql`SELECT 42 AS answer`;
expectValue(row?.answer, 42);
await sql.end({ timeout: 5 });
console.log(JSON.stringify({ ...counts, other: [...new Set(counts.other)].slice(0, 5) }));
