/** Writes of the door a second: the embedded store beside PostgreSQL, in turns. */
import type { OpenStore } from '../../src/store/open.ts';
import { decideAll, writeBare } from './commands.ts';
import { type Figure, figure, median } from './figures.ts';
import { keyOf } from './fleet.ts';
import { type Load, load } from './load.ts';
import type { Bench } from './stores.ts';

const concurrency = 32;
const rounds = 4;
const writesPerRound = 500;

export async function measureCommits(bench: Bench): Promise<Figure[]> {
  const instances = (rounds + 1) * writesPerRound;
  const { store: server } = await bench.createDatabase(instances);
  const embedded = await bench.createEmbedded(instances);
  const rates: { server: number[]; embedded: number[] } = { server: [], embedded: [] };
  for (let round = 0; round <= rounds; round += 1) {
    const keys = Array.from({ length: writesPerRound }, (_, index) =>
      keyOf(round * writesPerRound + index + 1),
    );
    const ofServer = await writeAll(server, keys);
    const ofEmbedded = await writeAll(embedded, keys);
    if (round === 0) continue;
    rates.server.push(ofServer.perSecond);
    rates.embedded.push(ofEmbedded.perSecond);
  }
  return [
    figure(
      'writes of the door, embedded store beside PostgreSQL, per second',
      median(rates.embedded),
      {
        reference: median(rates.server),
      },
    ),
  ];
}

async function writeAll(store: OpenStore, keys: readonly string[]): Promise<Load> {
  const changes = await decideAll(store, keys);
  return load(changes, concurrency, (change) => writeBare(store, change));
}
