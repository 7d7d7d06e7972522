/**
 * Devices send values while links are cut and runtimes and the server are killed: what was answered
 * 202 is in the store at the end, or was replaced by a newer value of the same device and field.
 * `npm run chaos -- --outbox` sends 200,000 values to 20 instances; CHAOS_SEED repeats a run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Network, startNetwork } from '../../client/network.ts';
import { createTestDatabase } from '../../harness/database.ts';
import { addHost, addInstance, addSolution, endpointsOf } from '../builders.ts';
import { type Client, createClient } from '../client.ts';
import { pick, randomNumbers } from '../load.ts';
import { processesOf } from '../processes.ts';
import { freePort, type Server, startServer } from '../server.ts';
import { definitionOf, type Value } from './messages.ts';
import { createLedger, keyOf, type Ledger, send } from './senders.ts';

const wanted = Number(process.env.OUTBOX_VALUES ?? 3_000);
const size = Number(process.env.OUTBOX_INSTANCES ?? 3);
const seed = Number(process.env.CHAOS_SEED ?? 20_261_130);
const onPostgres = process.env.OUTBOX_STORE === 'postgres';
const isFull = wanted > 50_000;
/** A fault this often, on average. */
const betweenMilliseconds = isFull ? 1_500 : 500;
const reportEverySeconds = 15;
const perHost = 4;
const sendersEach = 3;
/** The listeners of a host: below the ports that the system gives out. */
const firstPort = 18_201;

const kinds = [
  'LINK_CUT',
  'LINKS_CUT',
  'LINK_STALLED',
  'LINKS_REFUSED',
  'RUNTIME_KILLED',
  'SERVER_KILLED',
  'SERVER_AWAY',
  'SERVER_STOPPED',
  'COMMAND',
] as const;
type Kind = (typeof kinds)[number];
const shares: Readonly<Record<Kind, number>> = {
  LINK_CUT: 30,
  LINKS_CUT: 5,
  LINK_STALLED: 8,
  LINKS_REFUSED: 5,
  RUNTIME_KILLED: 20,
  SERVER_KILLED: 8,
  SERVER_AWAY: 3,
  SERVER_STOPPED: 3,
  COMMAND: 18,
};
const urn = kinds.flatMap((kind) => Array.from({ length: shares[kind] }, () => kind));
const commands = ['pauseInstance', 'stopInstance', 'restartInstance'] as const;

interface World {
  readonly server: Server;
  readonly client: Client;
  /** Between the runtimes and the server. */
  readonly network: Network;
  readonly instances: readonly string[];
}

async function start(): Promise<World> {
  const port = await freePort();
  const direct = { url: `http://127.0.0.1:${port}` };
  const network = await startNetwork(direct);
  const database = onPostgres ? await createTestDatabase() : null;
  const server = await startServer({
    environment: {
      PORT: String(port),
      PUBLIC_URL: network.url,
      LOG_LEVEL: 'error',
      SAMPLE_DATA: 'on',
      ...(database && { DATABASE_URL: database.url }),
    },
  });
  onTestFinished(async () => {
    network.mend();
    if (!server.isUp) await server.start();
    await server.dispose();
    await database?.drop();
  });
  const client = createClient({ ...direct, token: server.token });
  const instances = Array.from({ length: size }, (_, n) => `instance-${n}`);
  for (let n = 0; n < Math.min(perHost, size); n += 1) {
    await addSolution(client, `notes-${n}`, definitionOf(firstPort + n));
  }
  for (let n = 0; n < Math.ceil(size / perHost); n += 1) await addHost(client, `host-${n}`);
  for (const [n, key] of instances.entries()) {
    const host = `host-${Math.floor(n / perHost)}`;
    await addInstance(client, key, { solution: `notes-${n % perHost}`, host });
  }
  const world = { server, client, network, instances };
  await untilRunning(world);
  return world;
}

/** Where each instance takes messages: its port is fixed, and so is the address of its host. */
async function urlsOf({ client, instances }: World): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  for (const key of instances) urls.set(key, (await endpointsOf(client, key)).messages ?? '');
  return urls;
}

async function untilRunning(world: World): Promise<void> {
  const noneIsDown = (down: number) => expect(down).toBe(0);
  await world.client.lookUntil(() => revive(world), noneIsDown, 180);
}

/** Starts what is offline, or was killed, stopped or paused. @returns how many are not RUNNING */
async function revive({ client }: World): Promise<number> {
  const { instances } = await client.fleet();
  const down = instances.filter(({ key, state }) => key !== 'greenhouse-1' && state !== 'RUNNING');
  for (const { key, state, activeOperation } of down) {
    if (activeOperation) continue;
    if (state === 'OFFLINE') await client.command('deployInstance', key);
    else if (state === 'PAUSED') await client.command('resumeInstance', key);
    else if (state === 'STOPPED') await client.command('startInstance', key);
    else await client.command('restartInstance', key);
  }
  return down.length;
}

/** Repeats it until it is told to stop. A server that is away is no fault here. */
function repeatedly(work: () => Promise<unknown>): () => Promise<void> {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      await work().catch(() => {});
      await delay(200);
    }
  })();
  return async () => {
    isOver = true;
    await running;
  };
}

async function inflict(world: World, kind: Kind, random: () => number): Promise<void> {
  const { server, client, network, instances } = world;
  const which = Math.floor(random() * 1_000_000);
  const milliseconds = 300 + random() * 3_000;
  switch (kind) {
    case 'LINK_CUT':
      return network.cut(which);
    case 'LINKS_CUT':
      return network.cut();
    case 'LINK_STALLED':
      network.stall(which);
      await delay(milliseconds);
      return network.mend();
    case 'LINKS_REFUSED':
      network.refuse();
      network.cut();
      await delay(milliseconds);
      return network.mend();
    case 'RUNTIME_KILLED': {
      const runtimes = processesOf(server.dataDir).filter(({ role }) => role === 'runtime');
      const runtime = runtimes[which % Math.max(1, runtimes.length)];
      if (runtime) process.kill(runtime.pid, 'SIGKILL');
      return;
    }
    case 'SERVER_KILLED':
    case 'SERVER_AWAY':
      await server.kill9();
      if (kind === 'SERVER_AWAY') await delay(2 * milliseconds);
      return await server.start();
    case 'SERVER_STOPPED':
      // How long its end may take is tested elsewhere, on a machine that is less busy.
      await server.stop().catch(() => server.kill9());
      return await server.start();
    case 'COMMAND':
      await client.command(pick(random, commands), pick(random, instances)).catch(() => {});
      return;
    default:
      return kind satisfies never;
  }
}

/** The values that the store has of the devices of an instance. */
async function storedOf(client: Client, instance: string): Promise<Map<string, Value>> {
  const stored = new Map<string, Value>();
  const document = `query ($key: String!, $after: String) {
    deviceRepositories(first: 1, filter: { key: [$key] }) { nodes { devices(first: 100, after: $after) {
      nodes { name values { field value } } pageInfo { hasNextPage endCursor } } } } }`;
  for (let after: string | null = null, isLast = false; !isLast; ) {
    const { deviceRepositories } = await client.read<{ deviceRepositories: { nodes: Page[] } }>(
      document,
      { key: `${instance}-devices`, after },
    );
    const { devices } = deviceRepositories.nodes[0] as Page;
    for (const { name, values } of devices.nodes) {
      for (const { field, value } of values) stored.set(keyOf(name, field), value);
    }
    after = devices.pageInfo.endCursor;
    isLast = !devices.pageInfo.hasNextPage;
  }
  return stored;
}
interface Page {
  readonly devices: {
    readonly nodes: { name: string; values: { field: string; value: Value }[] }[];
    readonly pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}

/** Compares until nothing is missing, or for a minute. */
async function settled({ client }: World, instance: string, ledger: Ledger) {
  const until = performance.now() + 60_000;
  for (;;) {
    const result = ledger.compare(await storedOf(client, instance));
    if (result.wrong.length === 0 || performance.now() > until) return result;
    await delay(500);
  }
}

test(`${wanted} values to ${size} instances: what was answered 202 is in the store`, {
  timeout: 600_000 + wanted * 20,
}, async () => {
  const context = `CHAOS_SEED=${seed} OUTBOX_VALUES=${wanted}`;
  const random = randomNumbers(seed);
  const world = await start();
  const urls = await urlsOf(world);
  const ledgers = new Map(world.instances.map((key) => [key, createLedger()]));
  const accepted = () => [...ledgers.values()].reduce((sum, ledger) => sum + ledger.accepted, 0);
  const began = performance.now();
  const seconds = () => Math.round((performance.now() - began) / 1000);

  const stopReviving = repeatedly(() => revive(world));
  onTestFinished(stopReviving);
  // Each kind once; then at random for as long as a long run takes.
  const each = [...kinds].sort(() => random() - 0.5);
  let isSent = false;
  const sending = Promise.all(
    [...ledgers].map(([instance, ledger], n) =>
      send({
        ...{ instance, ledger, seed: seed + n * 104_729, count: sendersEach },
        pauseMilliseconds: isFull ? 300 : 100,
        url: () => urls.get(instance) ?? null,
        isEnough: () => each.length === 0 && ledger.accepted >= wanted / size,
      }),
    ),
  ).finally(() => {
    isSent = true;
  });
  const inflicted = new Map<Kind, number>();
  for (let count = 0, reported = 0; !isSent && (isFull || each.length > 0); count += 1) {
    await delay(betweenMilliseconds * (0.5 + random()));
    const kind = each.at(-1) ?? pick(random, urn);
    inflicted.set(kind, (inflicted.get(kind) ?? 0) + 1);
    await inflict(world, kind, random);
    each.pop();
    if (seconds() < reported + reportEverySeconds) continue;
    reported = seconds();
    console.log(`${reported} s: ${accepted()} values accepted, ${count + 1} faults`);
  }
  await sending;
  const sendingSeconds = seconds();
  await untilRunning(world);
  await stopReviving();

  const total = { accepted: 0, refused: 0, unknown: 0, kept: 0, replaced: 0, lost: 0 };
  const wrong: string[] = [];
  for (const [instance, ledger] of ledgers) {
    const result = await settled(world, instance, ledger);
    for (const name of Object.keys(total) as (keyof typeof total)[]) {
      total[name] += result.counts[name];
    }
    wrong.push(...result.wrong, ...ledger.faults);
  }
  const faults = kinds.map((kind) => `${kind} ${inflicted.get(kind) ?? 0}`).join(', ');
  console.log(
    `${context}: ${total.accepted} values accepted in ${sendingSeconds} s, of these ${total.kept} ` +
      `in the store, ${total.replaced} replaced by newer ones, ${total.lost} lost; ` +
      `${total.refused} refused, ${total.unknown} without an answer; ${faults}`,
  );
  expect(wrong, `${context}\n${world.server.output().slice(-4000)}`).toEqual([]);
  expect(total, context).toMatchObject({ lost: 0 });
});
