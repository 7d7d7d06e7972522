/**
 * `npm run chaos -- --soak MINUTES`: no faults, 200 events a second to 200 clients of two nodes, and
 * every ten seconds the memory of each node and the delay of its event loop.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { residentBytes } from '../bench/feed/process.ts';
import { addressesOf, startCluster } from './chaos/cluster.ts';
import { readLog } from './chaos/log.ts';
import { startCommitWriter } from './chaos/writers.ts';
import type { Server } from './server.ts';

const minutes = Number(process.env.SOAK_MINUTES ?? 0);
const clients = 200;
const perSecond = 200;
const sampleSeconds = 10;

interface Sample {
  readonly minute: number;
  readonly megabytes: number;
  /** The 99th percentile since the last sample. */
  readonly delayMilliseconds: number;
}

async function sample({ url, token, pid }: Server, minute: number): Promise<Sample> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const told = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(await answer.text())?.[1];
  return {
    minute,
    megabytes: residentBytes(pid) / 2 ** 20,
    delayMilliseconds: Number(told) * 1000,
  };
}

/** The rise of a value in a minute, by least squares. */
function slope(samples: readonly Sample[], of: (sample: Sample) => number): number {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const x = mean(samples.map(({ minute }) => minute));
  const y = mean(samples.map(of));
  const covariance = mean(samples.map((each) => (each.minute - x) * (of(each) - y)));
  return covariance / mean(samples.map(({ minute }) => (minute - x) ** 2));
}

test.runIf(minutes > 0)(
  `${minutes} minutes of ${perSecond} events a second`,
  {
    timeout: (minutes + 5) * 60_000,
  },
  async () => {
    const cluster = await startCluster({ crowds: 2, fleet: 40 });
    const { nodes, crowds, databaseUrl, organizationId } = cluster;
    await Promise.all(
      crowds.map((crowd) =>
        crowd.call('follow', {
          ...addressesOf(cluster),
          count: clients / crowds.length,
          followed: ['changes', 'transitions'],
        }),
      ),
    );
    const door = startCommitWriter(databaseUrl, { organizationId, perSecond });
    onTestFinished(() => door.stop());
    const samples = nodes.map((): Sample[] => []);
    const began = performance.now();
    for (let count = 1; count <= (minutes * 60) / sampleSeconds; count += 1) {
      await delay(Math.max(0, began + count * sampleSeconds * 1000 - performance.now()));
      for (const [n, { server }] of nodes.entries()) {
        const taken = await sample(server, (performance.now() - began) / 60_000);
        samples[n]?.push(taken);
        console.log(
          `node ${n} after ${taken.minute.toFixed(2)} min: ${taken.megabytes.toFixed(1)} MB, ` +
            `event loop ${taken.delayMilliseconds.toFixed(1)} ms`,
        );
      }
    }
    await door.stop();

    const sql = cluster.connect();
    onTestFinished(() => sql.end({ timeout: 1 }));
    const log = await readLog(sql);
    const reached = async () => {
      const each = await Promise.all(crowds.map((crowd) => crowd.call('reached', log.last)));
      return each.reduce((sum, count) => sum + count, 0);
    };
    await expect.poll(reached, { timeout: 60_000, interval: 250 }).toBe(clients);
    let events = 0;
    for (const crowd of crowds) {
      const { cursors, clients } = await crowd.call('received');
      for (const client of clients) {
        events += client.order.length;
        expect(client.faults).toEqual([]);
        expect(log.difference(client, cursors)).toBeNull();
      }
    }
    for (const [n, all] of samples.entries()) {
      // The ring of recent events fills at first.
      for (const [what, part] of [
        ['all of it', all],
        ['the second half', all.slice(all.length / 2)],
      ] as const) {
        const memory = slope(part, ({ megabytes }) => megabytes);
        const loop = slope(part, ({ delayMilliseconds }) => delayMilliseconds);
        console.log(`node ${n}, ${what}: ${memory.toFixed(2)} MB/min, ${loop.toFixed(3)} ms/min`);
      }
    }
    console.log(`${door.committed} commits, ${events} events to ${clients} clients`);
  },
);
