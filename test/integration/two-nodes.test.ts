/** Two servers over one PostgreSQL: commands split between them, one killed, backends that die. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createMigratedDatabase, type TestDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';
import { addHost, addInstance } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { randomNumbers, startLoad } from './load.ts';
import { doubledRuntimes, expectPaths, expectProcesses, uuidOf } from './paths.ts';
import { type Server, startServer } from './server.ts';
import { watch } from './watch.ts';

const stormSeconds = Number(process.env.STORM_SECONDS ?? 8);
const instances = ['one', 'two', 'three', 'four'];
const hosts = ['left', 'right'];
const startUp = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];
const token = 'a-token-that-both-nodes-of-the-test-know';

let database: TestDatabase;
let dataDir: string;
let sql: postgres.Sql;
let nodes: readonly [Server, Server];
let clients: readonly [Client, Client];

beforeAll(async () => {
  database = await createMigratedDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  dataDir = mkdtempSync(join(tmpdir(), 'im-'));
  const environment = { DATABASE_URL: database.url, SAMPLE_DATA: 'on' };
  const first = await startServer({ dataDir, token, environment });
  nodes = [first, await startServer({ dataDir, token, environment })];
  clients = [createClient(nodes[0]), createClient(nodes[1])];
  for (const host of hosts) await addHost(clients[0], host);
  for (const [index, key] of instances.entries()) {
    await addInstance(clients[1], key, { host: hosts[index % hosts.length] ?? null });
  }
});

afterAll(async () => {
  await nodes?.[1].kill9();
  await nodes?.[0].dispose();
  await sql?.end();
  await database?.drop();
  rmSync(dataDir, { recursive: true, force: true });
});

/** All four instances RUNNING, whatever was before. */
async function allRunning(): Promise<void> {
  const [client] = clients;
  await client.untilSettled();
  for (const key of instances) {
    await client.lookUntil(
      async () => {
        const now = await client.instance(key);
        if (now.state === 'RUNNING' || now.activeOperation) return now;
        const outcome = await client.command('deployInstance', key);
        if (outcome.code === 'ALREADY_IN_STATE') await client.command('restartInstance', key);
        if (outcome.code === 'RESTART_REQUIRED') await client.command('restartInstance', key);
        return client.instance(key);
      },
      ({ state }) => expect(state).toBe('RUNNING'),
    );
  }
  await client.untilSettled();
}

test('the commands of one instance split between them', async () => {
  const [first, second] = clients;
  const after = await first.feedPosition();
  const watching = nodes.map((node) => watch(node, { after }));
  await first.accept('deployInstance', 'one');
  await second.until('one', 'RUNNING');
  await second.accept('pauseInstance', 'one');
  await first.until('one', 'PAUSED');
  await first.accept('resumeInstance', 'one');
  await second.until('one', 'RUNNING');
  const both = await Promise.all([
    first.command('stopInstance', 'one'),
    second.command('stopInstance', 'one'),
  ]);
  expect(both.map((outcome) => outcome.code ?? 'ACCEPTED').sort()[0]).toBe('ACCEPTED');
  expect(both.filter((outcome) => !outcome.code)).toHaveLength(1);
  await second.until('one', 'STOPPED');
  const idempotencyKey = 'the same for both nodes';
  const same = await Promise.all(
    clients.map((client) => client.accept('startInstance', 'one', { idempotencyKey })),
  );
  expect(same[0]?.operation?.id).toBe(same[1]?.operation?.id);
  await first.until('one', 'RUNNING');
  expect(await second.history('one')).toEqual([
    ...startUp,
    ...['PAUSING', 'PAUSED', 'STARTING', 'RUNNING', 'STOPPING', 'STOPPED'],
    ...startUp,
  ]);
  await first.untilSettled();
  const log = (await first.log()).map(({ row }) => row);
  for (const { rows, faults } of watching) {
    await expect.poll(() => rows).toEqual(log);
    expect(faults).toEqual([]);
  }
});

test('one killed while it works: taken over at once', { timeout: 300_000 }, async () => {
  const [first, second] = clients;
  const random = randomNumbers(4);
  await allRunning();
  const restartAll = () =>
    Promise.all(instances.map((key) => first.accept('restartInstance', key)));
  const settled = async () => {
    const begin = performance.now();
    await second.untilSettled(30);
    return performance.now() - begin;
  };
  await restartAll();
  const undisturbed = await settled();
  const taken: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const before = new Map(
      await Promise.all(
        instances.map(async (key) => [key, (await second.history(key)).length] as const),
      ),
    );
    await restartAll();
    await delay(random() * 500);
    await nodes[0].kill9();
    taken.push((await settled()) - undisturbed);
    for (const key of instances) {
      const { state, failure } = await second.instance(key);
      expect(state, `${key}: ${failure?.code} ${failure?.message} ${failure?.logTail}`).toBe(
        'RUNNING',
      );
      await second.expectHistory(key, 'RUNNING', 'STOPPING', 'STOPPED', ...startUp);
      expect((await second.history(key)).length, key).toBe((before.get(key) ?? 0) + 6);
    }
    await expectProcesses(second, dataDir);
    await nodes[0].start();
  }
  console.log(
    `four restarts: ${undisturbed.toFixed(0)} ms; beyond that, with the node killed: ` +
      `${taken.map((ms) => ms.toFixed(0)).join(', ')} ms`,
  );
  // By its lease alone it would be 3 s and more.
  expect(Math.max(...taken)).toBeLessThan(2_500);
  // One run for each start, and no more.
  for (const key of instances) {
    const { id } = await second.instance(key);
    const [row] =
      await sql`select count(*)::int as runs from runs where instance_id = ${uuidOf(id)}`;
    const starts = (await second.history(key)).filter((state) => state === 'STARTING_RUNTIME');
    expect(row?.runs, key).toBe(starts.length);
  }
});

test('backends that die every 150 ms end no process and lose nothing', {
  timeout: 180_000,
}, async () => {
  const [first, second] = clients;
  await allRunning();
  const after = await second.feedPosition();
  const before = (await first.log()).length;
  const watching = nodes.map((node) => watch(node, { after }));
  const pids = nodes.map(({ pid }) => pid);
  const load = startLoad({
    clients: [first, second, first, second],
    instances,
    hosts: ['left'],
    random: randomNumbers(150),
  });
  onTestFinished(() => load.stop());
  const until = performance.now() + stormSeconds * 1000;
  const printed = nodes.map((node) => node.output().length);
  let killed = 0;
  while (performance.now() < until) {
    const rows = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`;
    killed += rows.length;
    await delay(150);
  }
  await load.stop();
  expect(nodes.map(({ isUp, pid }) => isUp && pid)).toEqual(pids);
  await second.untilSettled();
  expect(doubledRuntimes(dataDir)).toEqual([]);
  await eventually(() => expectProcesses(first, dataDir));
  const log = await first.log();
  await expectPaths(first, log);
  const rows = log.slice(before).map(({ row }) => row);
  for (const each of watching) {
    await expect.poll(() => each.rows.length).toBe(rows.length);
    expect(each.rows).toEqual(rows);
    expect(each.faults).toEqual([]);
  }
  const said = nodes.map((node, n) => node.output().slice(printed[n])).join('');
  const times = (text: string) => said.split(text).length - 1;
  console.log(
    `${stormSeconds} s: ${killed} backends killed, ${load.sent} commands sent, ` +
      `${load.accepted} accepted, ${rows.length} transitions; ` +
      `${times('registering again')} leases lost, ${times('took over')} taken over`,
  );
});
