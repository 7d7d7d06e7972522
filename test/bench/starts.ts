/** Time from the start of the process to the first 200 of `/readyz`, in turns. */
import { type Figure, figure, median } from './figures.ts';
import type { Fleets } from './lists.ts';
import { startServer } from './server.ts';
import type { Bench } from './stores.ts';

const rounds = 3;

export async function measureStarts(bench: Bench, { small, large }: Fleets): Promise<Figure[]> {
  const seconds = { cold: [], warm: [], of100: [], of10000: [] } as Record<
    'cold' | 'warm' | 'of100' | 'of10000',
    number[]
  >;
  const time = async (into: number[], options: Parameters<typeof startServer>[0]) => {
    const server = await startServer(options);
    into.push(server.readyMilliseconds / 1000);
    await server.stop();
  };
  for (let round = 0; round < rounds; round += 1) {
    const dataDir = await bench.createFolder();
    await time(seconds.cold, { dataDir });
    await time(seconds.warm, { dataDir });
    const other = await bench.createFolder();
    await time(seconds.of100, { dataDir: other, databaseUrl: small.url });
    await time(seconds.of10000, { dataDir: other, databaseUrl: large.url });
  }
  return [
    figure(
      'start to /readyz, embedded store: a new one beside an existing one, s',
      median(seconds.cold),
      {
        reference: median(seconds.warm),
      },
    ),
    figure(
      'start to /readyz, PostgreSQL: 10,000 instances beside 100, s',
      median(seconds.of10000),
      {
        reference: median(seconds.of100),
      },
    ),
  ];
}
