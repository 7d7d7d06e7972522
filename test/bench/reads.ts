/** `instance(instance:)` over HTTP, beside the same row from a bare server, in turns. */
import type { BareReadServer } from './bare-read-server.ts';
import { untilIdle } from './commands.ts';
import { startChild } from './feed/process.ts';
import { type Figure, figure, median, quantile } from './figures.ts';
import { keyOf } from './fleet.ts';
import type { Fleets } from './lists.ts';
import { type Load, load, openPoster, together } from './load.ts';
import { adminToken, startServer } from './server.ts';
import { type Bench, connections } from './stores.ts';

const concurrency = 32;
const rounds = 8;
const readsPerRound = 600;

const readInstance = /* GraphQL */ `
  query Instance($instance: ID!) {
    instance(instance: $instance) {
      key name state sequence desiredState reachability stateSince
    }
  }`;

export async function measureReads(bench: Bench, { large }: Fleets): Promise<Figure[]> {
  const bare = startChild<BareReadServer>(new URL('./bare-read-server.ts', import.meta.url));
  const server = await startServer({
    databaseUrl: large.url,
    dataDir: await bench.createFolder(),
  });
  const ours: Load[] = [];
  const reference: Load[] = [];
  try {
    const bareUrl = await bare.call('start', large.url, connections);
    await untilIdle(large.store);
    for (let round = 0; round <= rounds; round += 1) {
      const read = await readAll(server.url, round);
      const readBare = await readAll(bareUrl, round);
      if (round === 0) continue;
      ours.push(read);
      reference.push(readBare);
    }
  } finally {
    await server.stop();
    await bare.stop();
  }
  const [read, readBare] = [together(ours), together(reference)];
  return [
    figure('instance(instance:) over HTTP beside a bare server, per second', median(read.rates), {
      reference: median(readBare.rates),
      atLeast: 0.5,
    }),
    figure('  p99, ms', quantile(read.milliseconds, 0.99), {
      reference: quantile(readBare.milliseconds, 0.99),
    }),
  ];
}

async function readAll(url: string, round: number): Promise<Load> {
  const keys = Array.from({ length: readsPerRound }, (_, n) =>
    keyOf(round * readsPerRound + n + 1),
  );
  const posters = await Promise.all(
    Array.from({ length: concurrency }, () => openPoster(url, adminToken)),
  );
  try {
    return await load(keys, concurrency, async (key, lane) => {
      const answer = await posters[lane]?.post(readInstance, { instance: key });
      if (!answer?.includes(`"key":"${key}"`)) throw new Error(`${key}: ${answer}`);
    });
  } finally {
    for (const poster of posters) poster.close();
  }
}
