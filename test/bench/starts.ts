/** Time from the start of the process to the first 200 of `/readyz`, in turns. */
import { join } from 'node:path';
import { type Figure, figure, median } from './figures.ts';
import type { Fleets } from './lists.ts';
import { type ServerProcess, startBare, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const rounds = 5;
const fleetRounds = 3;

/** The embedded store, beside the bare program on the same data and on none. */
export async function measureStarts(bench: Bench): Promise<Figure[]> {
  const server: Samples = { new: [], existing: [] };
  const bare: Samples = { new: [], existing: [] };
  const startAt = (folder: string) => startBare({ kind: 'pglite', where: folder });
  // The first start makes the build where there is none.
  await time([], startServer({ dataDir: await bench.createFolder() }));
  for (let round = 0; round < rounds; round += 1) {
    const dataDir = await bench.createFolder();
    await time(server.new, startServer({ dataDir }));
    await time(bare.new, startAt(join(await bench.createFolder(), 'pglite')));
    await time(server.existing, startServer({ dataDir }));
    await time(bare.existing, startAt(join(dataDir, 'pglite')));
  }
  return [
    figure(
      'start to /readyz, existing embedded store, beside bare PGlite, s',
      median(server.existing),
      {
        reference: median(bare.existing),
        atMost: 2.5,
      },
    ),
    figure('  a new store, beside bare PGlite with initdb, s', median(server.new), {
      reference: median(bare.new),
      atMost: 1,
    }),
  ];
}

/** PostgreSQL: a store with 10,000 instances beside one with 100. */
export async function measureFleetStarts(
  bench: Bench,
  { small, large }: Fleets,
): Promise<Figure[]> {
  const of100: number[] = [];
  const of10000: number[] = [];
  const dataDir = await bench.createFolder();
  for (let round = 0; round < fleetRounds; round += 1) {
    await time(of100, startServer({ dataDir, databaseUrl: small.url }));
    await time(of10000, startServer({ dataDir, databaseUrl: large.url }));
  }
  return [
    figure('start to /readyz, PostgreSQL: 10,000 instances beside 100, s', median(of10000), {
      reference: median(of100),
    }),
  ];
}

type Samples = Record<'new' | 'existing', number[]>;

async function time(seconds: number[], starting: Promise<ServerProcess>): Promise<void> {
  const { readyMilliseconds, stop } = await starting;
  seconds.push(readyMilliseconds / 1000);
  await stop();
}
