/**
 * Backends die: an administrator ends them, the server crashes, a failover takes them. Nothing of it may
 * end our process or mix sessions up. postgres.js as released does both (src/store/database/patches).
 */
import { spawn } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';

const terminations = 100;
const quiet = { onnotice: () => {} };

let database: TestDatabase;
let administrator: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  administrator = postgres(database.url, { ...quiet, max: 1 });
  await administrator`CREATE TABLE written (what text)`;
});

afterAll(async () => {
  await administrator.end();
  await database.drop();
});

/** Terminates every other backend of the test's database and says how many. */
async function terminateBackends(): Promise<number> {
  const terminated = await administrator`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  return terminated.length;
}

/** Waits until a backend of the test's database runs this statement. */
async function untilRunning(statement: string): Promise<void> {
  await expect
    .poll(
      () => administrator`
        SELECT 1 FROM pg_stat_activity
        WHERE datname = current_database() AND state = 'active' AND query = ${statement}`,
      { interval: 5 },
    )
    .toHaveLength(1);
}

/** Runs a program to its end. Its input ends when `input` resolves. */
function run(
  program: string,
  args: string[],
  input: Promise<void> = Promise.resolve(),
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args);
    child.stdin.on('error', () => {}); // It has ended already.
    void input.then(() => child.stdin.end());
    let output = '';
    child.stdout.on('data', (text) => (output += text));
    child.stderr.on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

test('the installed postgres.js is patched', async () => {
  const script = fileURLToPath(
    new URL('../../src/store/database/patches/apply.mjs', import.meta.url),
  );
  expect(await run(process.execPath, [script, '--check'])).toEqual({ code: 0, output: '' });
});

test('a process under load outlives its backends, terminated every 20 ms', async () => {
  const script = fileURLToPath(new URL('./backend-death-load.ts', import.meta.url));
  let running = true;
  let end = () => {};
  const input = new Promise<void>((resolve) => (end = resolve));
  const args = ['--import', 'tsx', script, database.url];
  const load = run(process.execPath, args, input).finally(() => (running = false));
  await eventually(async () => {
    const [row] = await administrator`
        SELECT count(*)::int AS n FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    expect(row?.n).toBeGreaterThan(0);
  });
  for (let terminated = 0; running && terminated < terminations; ) {
    terminated += await terminateBackends();
    await sleep(20);
  }
  end();
  const { code, output } = await load;
  expect(code, output).toBe(0);
  const counts = JSON.parse(output.trim().split('\n').at(-1) ?? '');
  expect(counts).toMatchObject({ uncaught: 0, other: [] });
  expect(counts.refused).toBeGreaterThan(0);
  expect(counts.succeeded).toBeGreaterThan(0);
});

test('a transaction does not go on in the session after its own', async () => {
  const sql = postgres(database.url, { ...quiet, max: 1 });
  let inner: unknown;
  const transaction = sql.begin(async (tx) => {
    await tx`SELECT 1`;
    await terminateBackends();
    // The pool's one connection is open again.
    await expect.poll(() => sql`SELECT 1`.catch(() => [])).toHaveLength(1);
    inner = await tx`INSERT INTO written VALUES ('outside of its transaction')`.catch((e) => e);
    throw inner;
  });
  await expect(transaction).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await expect.poll(() => inner).toMatchObject({ code: 'CONNECTION_CLOSED' });
  expect(await sql`SELECT * FROM written`).toEqual([]);
  await sql.end();
});

test('a reserved connection is of no use after its session, and does no harm', async () => {
  const sql = postgres(database.url, { ...quiet, max: 1 });
  const reserved = await sql.reserve();
  await reserved`SELECT 1`;
  await terminateBackends();
  const refusal = () => reserved`SELECT 1`.catch(({ code }) => code);
  await expect.poll(refusal).toBe('CONNECTION_CLOSED');
  reserved.release();
  expect(await sql`SELECT 3 AS n`).toMatchObject([{ n: 3 }]);
  await expect(reserved`SELECT 1`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  reserved.release();
  expect(await sql`SELECT 4 AS n`).toMatchObject([{ n: 4 }]);
  await sql.end();
});

test('the first query after a death is not refused with the dead session’s error', async () => {
  const sql = postgres(database.url, { ...quiet, max: 1 });
  const sleeping = sql`SELECT pg_sleep(60)`.catch((error) => error.code);
  await untilRunning('SELECT pg_sleep(60)');
  await terminateBackends();
  expect(await sleeping).toBe('CONNECTION_CLOSED');
  expect(await sql`SELECT 5 AS n`).toMatchObject([{ n: 5 }]);
  await sql.end();
});

test('ending a pool waits for no query whose backend has died', async () => {
  const sql = postgres(database.url, { ...quiet, max: 1 });
  await sql`SELECT 1`;
  const sleeping = sql`SELECT pg_sleep(60)`.catch((error) => error.code);
  await untilRunning('SELECT pg_sleep(60)');
  const ended = sql.end();
  await terminateBackends();
  expect(await sleeping).toBe('CONNECTION_CLOSED');
  await ended;
});

test('a query sent between the failure and the close of a socket is refused, and confuses none', async () => {
  // A relay whose sockets it can reset, which is what a host that crashes and returns does.
  const clients = new Set<Socket>();
  const { hostname, port } = new URL(database.url);
  const relay = createServer((client) => {
    clients.add(client);
    const server = connect(Number(port), hostname);
    client.pipe(server).pipe(client);
    client.on('error', () => {}).on('close', () => server.destroy());
    server.on('error', () => {}).on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const address = relay.address();
  const url = new URL(database.url);
  url.port = String(typeof address === 'object' ? address?.port : '');
  const sql = postgres(url.href, { ...quiet, max: 1 });
  for (let round = 0; round < 20; round += 1) {
    const statement = `SELECT pg_sleep(60), ${round}`;
    const again = sql.unsafe(statement).catch(() => sql`SELECT 'again' AS n`);
    await untilRunning(statement);
    for (const client of clients) client.resetAndDestroy();
    clients.clear();
    await again.catch((error) => expect(error.code).toMatch(/CONNECTION_CLOSED|ECONNRESET|EPIPE/));
    const answers = await Promise.all([1, 2, 3].map((n) => sql`SELECT ${n}::int AS n`));
    expect(answers.map(([row]) => row?.n)).toEqual([1, 2, 3]);
  }
  await sql.end();
  relay.close();
});
