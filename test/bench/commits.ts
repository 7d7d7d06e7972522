/**
 * Commits a second: the embedded store beside bare PGlite that runs the same statements, one after
 * the other, and beside PostgreSQL, in turns.
 */
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { Change } from '../../src/lifecycle/change.ts';
import { commitStatement } from '../../src/store/commit/statement.ts';
import type { OpenStore } from '../../src/store/open.ts';
import { decideAll, writeBare } from './commands.ts';
import { type Figure, figure, median } from './figures.ts';
import { keyOf } from './fleet.ts';
import { load } from './load.ts';
import type { Bench } from './stores.ts';

const concurrency = 32;
const rounds = 4;
const writesPerRound = 500;

export async function measureCommits(bench: Bench): Promise<Figure[]> {
  const instances = (rounds + 1) * writesPerRound;
  const { store: server } = await bench.createDatabase(instances);
  const { store: embedded } = await bench.createEmbedded(instances);
  const bare = await openBare(bench, instances);
  const rates = { server: [] as number[], embedded: [] as number[], bare: [] as number[] };
  for (let round = 0; round <= rounds; round += 1) {
    const measured = {
      server: await writeAll(server, await decideAll(server, keysOf(round))),
      embedded: await writeAll(embedded, await decideAll(embedded, keysOf(round))),
      bare: await bare.writeAll(round),
    };
    if (round === 0) continue;
    for (const side of ['server', 'embedded', 'bare'] as const) rates[side].push(measured[side]);
  }
  await bare.close();
  const ours = median(rates.embedded);
  return [
    figure('commits of the embedded store beside bare PGlite, per second', ours, {
      reference: median(rates.bare),
      atLeast: 0.8,
    }),
    figure('  beside PostgreSQL, per second', ours, { reference: median(rates.server) }),
  ];
}

const keysOf = (round: number): string[] =>
  Array.from({ length: writesPerRound }, (_, n) => keyOf(round * writesPerRound + n + 1));

async function writeAll(store: OpenStore, changes: readonly Change[]): Promise<number> {
  return (await load(changes, concurrency, (change) => writeBare(store, change))).perSecond;
}

/** An embedded store like the other, with its changes decided, then opened with PGlite alone. */
async function openBare(bench: Bench, instances: number) {
  const { store, dataDir } = await bench.createEmbedded(instances);
  const decided: Change[][] = [];
  for (let round = 0; round <= rounds; round += 1)
    decided.push(await decideAll(store, keysOf(round)));
  const { defaultOrganizationId: organizationId } = store;
  await store.close();
  const client = await PGlite.create(join(dataDir, 'pglite'));
  return {
    async writeAll(round: number): Promise<number> {
      const changes = decided[round] ?? [];
      const { perSecond } = await load(changes, 1, async (change) => {
        const { text, parameters } = commitStatement(change, { organizationId });
        const { rows } = await client.query(text, [...parameters]);
        if (rows.length !== 1) throw new Error('The change was not written.');
      });
      return perSecond;
    },
    close: () => client.close(),
  };
}
