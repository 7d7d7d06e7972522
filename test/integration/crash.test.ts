/**
 * `kill -9` of the server at random moments while instances go up and down. `CRASHES=50` takes 20
 * instances and 50 moments; `SEED` repeats a run. The store is PostgreSQL, on which a server starts sooner;
 * CRASH_STORE=embedded takes the other one, whose kills are in `chaos/outbox.test.ts` as well.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createTestDatabase } from '../harness/database.ts';
import { eventually } from '../harness/eventually.ts';
import { addHost, addInstance } from './builders.ts';
import { createClient } from './client.ts';
import { pick, randomNumbers, startLoad } from './load.ts';
import { doubledRuntimes, expectPaths, expectProcesses } from './paths.ts';
import { startServer } from './server.ts';
import { watch } from './watch.ts';

const crashes = Number(process.env.CRASHES ?? 5);
const size = crashes >= 50 ? 20 : 8;
const isEmbedded = process.env.CRASH_STORE === 'embedded';
const seed = Number(process.env.SEED ?? 20_261_121);

test(`${crashes} crashes of the server, ${size} instances`, {
  timeout: crashes * 60_000,
}, async () => {
  const random = randomNumbers(seed);
  const database = isEmbedded ? null : await createTestDatabase();
  const environment = { SAMPLE_DATA: 'on', ...(database && { DATABASE_URL: database.url }) };
  const server = await startServer({ environment });
  onTestFinished(async () => {
    await server.dispose();
    await database?.drop();
  });
  const client = createClient(server);
  const hosts = Array.from({ length: Math.ceil(size / 4) }, (_, index) => `host-${index}`);
  for (const host of hosts) await addHost(client, host);
  const instances = Array.from({ length: size }, (_, index) => `instance-${index}`);
  for (const [index, key] of instances.entries()) {
    await addInstance(client, key, { host: hosts[index % hosts.length] ?? null });
  }
  const watching = watch(server, { after: await client.feedPosition() });
  for (const host of hosts) await client.acceptHost('deployHost', host);

  const urls = new Set([server.url]);
  let accepted = 0;
  for (let crash = 1; crash <= crashes; crash += 1) {
    const load = startLoad({ clients: [client, client, client], instances, hosts, random });
    await delay(random() * 2500);
    await server.kill9();
    await load.stop();
    accepted += load.accepted;
    expect(doubledRuntimes(server.dataDir)).toEqual([]);
    await server.start();
    urls.add(server.url);
    if (pick(random, [true, false, false])) {
      // Again, in the middle of taking up what the last one left.
      await delay(random() * 700);
      await server.kill9();
      await server.start();
    }

    const context = `seed ${seed}, crash ${crash}`;
    await client.untilSettled();
    await client.lookUntil(client.fleet, (now) => {
      for (const { key, state } of now.hosts) {
        expect(['OFFLINE', 'RUNNING'], `${context}: ${key}`).toContain(state);
      }
      for (const { key, state, failure } of now.instances) {
        expect(
          ['OFFLINE', 'STOPPED', 'RUNNING', 'PAUSED'],
          `${context}: ${key} ${failure?.message}`,
        ).toContain(state);
      }
    });
    await eventually(() => expectProcesses(client, server.dataDir));
  }

  const log = await client.log();
  await expectPaths(client, log);
  await expect.poll(() => watching.rows.length).toBe(log.length);
  expect(watching.rows).toEqual(log.map(({ row }) => row));
  expect(watching.faults).toEqual([]);
  expect(urls.size).toBeGreaterThan(1);
  console.log(
    `${crashes} crashes, ${accepted} commands accepted, ${log.length} transitions, ` +
      `${watching.connections} connections of one subscriber`,
  );
});
