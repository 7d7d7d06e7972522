/**
 * Faults of all kinds, one after the other, while clients follow the feed: each is told of each event
 * once and in the order of the log. `npm run chaos` runs 1,000 of them; CHAOS_SEED repeats a run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { addressesOf, type Cluster, startCluster } from './chaos/cluster.ts';
import { type Fault, type FaultKind, planFaults } from './chaos/faults.ts';
import { readLog } from './chaos/log.ts';
import { startCommitWriter } from './chaos/writers.ts';
import { createClient } from './client.ts';
import { randomNumbers, startLoad } from './load.ts';

const faults = Number(process.env.CHAOS_FAULTS ?? 200);
const seed = Number(process.env.CHAOS_SEED ?? 20_261_121);
const betweenMilliseconds = Number(process.env.CHAOS_BETWEEN_MS ?? 150);
const clients = 50;
const perSecond = faults > 200 ? 60 : 30;

/** Ends backends of the nodes and of the writer. @returns how many */
async function endBackend({ administrator, databaseUrl }: Cluster, of: string, which: number) {
  const name = new URL(databaseUrl).pathname.slice(1);
  const backends = await administrator<{ pid: number }[]>`
    select pid from pg_stat_activity
     where datname = ${name} and backend_type = 'client backend' and query ilike ${of}
     order by pid`;
  const chosen = backends[which % Math.max(backends.length, 1)];
  if (!chosen) return 0;
  await administrator`select pg_terminate_backend(${chosen.pid})`;
  return 1;
}

/** Lets it happen. @returns what lasts beyond it, if it does */
async function inflict(
  cluster: Cluster,
  { kind, target, which, milliseconds }: Fault,
): Promise<{ lasting: Promise<unknown> | null }> {
  const node = cluster.nodes[target % cluster.nodes.length];
  const crowd = cluster.crowds[target % cluster.crowds.length];
  if (!node || !crowd) throw new Error('There are nodes and crowds.');
  const kinds: Readonly<Record<FaultKind, () => unknown>> = {
    NODE_KILLED: () => node.kill(),
    LISTENER_ENDED: () => endBackend(cluster, 'do %listen%', which),
    BACKEND_ENDED: () => endBackend(cluster, '%', which),
    CONNECTION_CUT: () => node.network.cut(which),
    CONNECTION_STALLED: () => node.network.stall(which),
    CLIENTS_PAUSED: () => process.kill(crowd.pid, 'SIGSTOP'),
    POSTGRES_CRASHED: () => cluster.postgres.restart('CRASH'),
    POSTGRES_RESTARTED: () => cluster.postgres.restart('FAST'),
  };
  try {
    await kinds[kind]();
  } catch (error) {
    // Where PostgreSQL has just been restarted there is nothing to end.
    if (!kind.endsWith('_ENDED')) throw error;
  }
  const over = () => delay(milliseconds);
  if (kind === 'CONNECTION_STALLED') return { lasting: over().then(node.network.mend) };
  if (kind === 'CLIENTS_PAUSED')
    return { lasting: over().then(() => process.kill(crowd.pid, 'SIGCONT')) };
  return { lasting: null };
}

test(`${faults} faults, ${clients} clients: each event once and in order`, {
  timeout: 120_000 + faults * 2_000,
}, async () => {
  const context = `CHAOS_SEED=${seed} CHAOS_FAULTS=${faults}`;
  const plan = planFaults(seed, faults, betweenMilliseconds);
  const cluster = await startCluster({ crowds: 3, fleet: 40 });
  const { nodes, crowds, databaseUrl, organizationId, instances, hosts } = cluster;
  const load = startLoad({
    clients: nodes.map(({ server }) => createClient(server)),
    ...{ instances, hosts, random: randomNumbers(seed) },
  });
  onTestFinished(() => load.stop());
  const door = startCommitWriter(databaseUrl, { organizationId, perSecond });
  onTestFinished(() => door.stop());
  await Promise.all(
    crowds.map((crowd, n) => {
      const count = Math.floor((clients + n) / crowds.length);
      return crowd.call('follow', { ...addressesOf(cluster), count });
    }),
  );

  const began = performance.now();
  const lasting: (Promise<unknown> | null)[] = [];
  for (const fault of plan) {
    const pause = delay(fault.pauseMilliseconds);
    lasting.push((await inflict(cluster, fault)).lasting);
    if (lasting.length % 100 === 0) console.log(`${lasting.length} faults, the last ${fault.kind}`);
    await pause;
  }
  await Promise.all(lasting);
  const seconds = (performance.now() - began) / 1000;
  await Promise.all([load.stop(), door.stop()]);
  for (const { up, network } of nodes) {
    await up();
    network.mend();
  }
  // Nothing is under way any more.
  await createClient(nodes[0]!.server).untilSettled();

  const sql = cluster.connect();
  onTestFinished(() => sql.end({ timeout: 1 }));
  let log = await readLog(sql);
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  const events = async () => sum(await Promise.all(crowds.map((crowd) => crowd.call('events'))));
  async function haveAll(): Promise<boolean> {
    log = await readLog(sql);
    const reached = crowds.map((crowd) => crowd.call('reached', log.last));
    return sum(await Promise.all(reached)) === clients;
  }
  // As long as more comes; what is missing then is told below.
  for (let before = -1; !(await haveAll()) && (await events()) > before; ) {
    before = await events();
    await expect
      .poll(events, { timeout: 30_000, interval: 250 })
      .toBeGreaterThan(before)
      .catch(() => {});
  }

  const wrong: string[] = [];
  let resumes = 0;
  for (const crowd of crowds) {
    const { cursors, clients } = await crowd.call('received');
    for (const client of clients) {
      resumes += client.connects - 1;
      const difference = log.difference(client, cursors);
      if (difference) wrong.push(difference);
      wrong.push(...client.faults);
    }
  }
  const times = (kind: FaultKind) => plan.filter((fault) => fault.kind === kind).length;
  const kinds = [...new Set(plan.map(({ kind }) => kind))].sort();
  console.log(
    `${context}: ${plan.length} faults in ${seconds.toFixed(0)} s ` +
      `(${kinds.map((kind) => `${kind} ${times(kind)}`).join(', ')}); ` +
      `${log.length} rows of the log, ${door.committed} of them by ${door.committed + door.failed} ` +
      `writes through the door, ${load.accepted} of ${load.sent} commands accepted; ` +
      `${await events()} events to ${clients} clients, which came back ${resumes} times`,
  );
  expect(wrong, context).toEqual([]);
  expect(nodes.flatMap(({ ends }) => ends.filter((why) => why.startsWith('by itself')))).toEqual(
    [],
  );
  expect(resumes, context).toBeGreaterThan(0);
});
