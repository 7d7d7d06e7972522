/** A list with hosts and histories: 10,000 instances beside 100, request by request in turns. */
import { untilIdle } from './commands.ts';
import { type Figure, figure, median, quantile } from './figures.ts';
import { openPoster, type Poster } from './load.ts';
import { adminToken, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const requests = 200;
const warmUps = 40;

const listInstances = /* GraphQL */ `
  {
    instances(first: 50) {
      nodes {
        key
        state
        host { key state }
        history(last: 5) { nodes { toState at } }
        activeOperation { kind }
      }
    }
  }`;

export interface Fleets {
  readonly small: Awaited<ReturnType<Bench['createDatabase']>>;
  readonly large: Awaited<ReturnType<Bench['createDatabase']>>;
}

export async function measureLists(bench: Bench, { small, large }: Fleets): Promise<Figure[]> {
  const servers = [
    await startServer({ databaseUrl: small.url, dataDir: await bench.createFolder() }),
    await startServer({ databaseUrl: large.url, dataDir: await bench.createFolder() }),
  ] as const;
  const posters = [
    await openPoster(servers[0].url, adminToken),
    await openPoster(servers[1].url, adminToken),
  ] as const;
  const milliseconds: [number[], number[]] = [[], []];
  try {
    await untilIdle(small.store);
    await untilIdle(large.store);
    for (let at = -warmUps; at < requests; at += 1) {
      for (const side of [0, 1] as const) {
        const took = await list(posters[side]);
        if (at >= 0) milliseconds[side].push(took);
      }
    }
  } finally {
    for (const poster of posters) poster.close();
    for (const server of servers) await server.stop();
  }
  const [of100, of10000] = milliseconds;
  return [
    figure('instances(first: 50) of 10,000 beside 100, p50, ms', median(of10000), {
      reference: median(of100),
      atMost: 1.5,
    }),
    figure('  p99, ms', quantile(of10000, 0.99), { reference: quantile(of100, 0.99) }),
  ];
}

async function list(poster: Poster): Promise<number> {
  const from = performance.now();
  const answer = await poster.post(listInstances, {});
  const took = performance.now() - from;
  if (answer.includes('"errors"') || answer.split('"toState"').length !== 251)
    throw new Error(`not the list that was asked for: ${answer.slice(0, 500)}`);
  return took;
}
