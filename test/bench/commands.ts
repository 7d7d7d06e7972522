/**
 * Accepted lifecycle commands a second, beside the bare guarded statement.
 *
 * The command is `pauseInstance` on an instance that is RUNNING, each time another one: it writes a
 * transition, its row of the log, an operation, a deadline, an item of work and a command to the
 * runtime. The runtime would be the next to act; there is none. The server does meanwhile what it does
 * after every command: its executor claims the item, finds no host to ask and ends it, and its feed
 * reads the log.
 *
 * Three sides take turns, on one database, with the same number of connections to it and of commands
 * at once: the server over HTTP; in this process the same three statements of the store (find, read,
 * write); and in this process the last of them alone, with the very same change, decided beforehand.
 */
import type { Change } from '../../src/lifecycle/change.ts';
import { decideInstanceCommand } from '../../src/lifecycle/instance-commands.ts';
import { commandInstance } from '../../src/store/command/lifecycle-commands.ts';
import { instanceSnapshot } from '../../src/store/command/snapshot.ts';
import { commitChange } from '../../src/store/commit/commit.ts';
import type { OpenStore } from '../../src/store/open.ts';
import { type Figure, figure, median, quantile } from './figures.ts';
import { keyOf } from './fleet.ts';
import { type Load, load, openPoster, together } from './load.ts';
import { adminToken, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const concurrency = 32;
const rounds = 8;
/** V8 compiles the path of a command over its first 3,000; a server runs for days. */
const warmUpRounds = 8;
const commandsPerRound = 400;
const actor = { kind: 'USER', name: 'bench' } as const;

/** As GraphiQL's third tab has it, for any instance. */
const pauseInstance = /* GraphQL */ `
  mutation PauseInstance($instance: ID!) {
    pauseInstance(input: { instance: $instance }) {
      __typename
      ... on InstanceCommandAccepted {
        instance { state sequence desiredState }
        operation { id status }
      }
      ... on UserError { code message }
      ... on InstanceCommandRefused { from allowedActions }
    }
  }`;

export async function measureCommands(bench: Bench, profile: string | null): Promise<Figure[]> {
  const sides = 3;
  const { url, store } = await bench.createDatabase(
    (warmUpRounds + rounds) * sides * commandsPerRound,
  );
  const server = await startServer({
    databaseUrl: url,
    dataDir: await bench.createFolder(),
    profile,
  });

  let next = 1;
  const take = (): string[] => Array.from({ length: commandsPerRound }, () => keyOf(next++));
  const http: Load[] = [];
  const inProcess: Load[] = [];
  const bare: Load[] = [];
  try {
    await untilIdle(store);
    for (let round = 0; round < warmUpRounds + rounds; round += 1) {
      const overHttp = await postAll(server.url, take());
      await untilIdle(store);
      const results = {
        http: overHttp,
        inProcess: await load(take(), concurrency, (key) => pause(store, key)),
        bare: await load(await decideAll(store, take()), concurrency, (change) =>
          writeBare(store, change),
        ),
      };
      // The work of a side is done in its own time.
      await untilIdle(store);
      if (round < warmUpRounds) continue;
      http.push(results.http);
      inProcess.push(results.inProcess);
      bare.push(results.bare);
    }
  } finally {
    await server.stop();
  }
  return compare({ http: together(http), inProcess: together(inProcess), bare: together(bare) });
}

type Side = ReturnType<typeof together>;

function compare({ http, inProcess, bare }: Record<'http' | 'inProcess' | 'bare', Side>): Figure[] {
  const rate = median(bare.rates);
  return [
    figure(
      'accepted commands over HTTP beside the bare statement, per second',
      median(http.rates),
      {
        reference: rate,
        atLeast: 0.5,
      },
    ),
    figure('  of which find, read and write in process, per second', median(inProcess.rates), {
      reference: rate,
    }),
    figure('  p50, ms', median(http.milliseconds), { reference: median(bare.milliseconds) }),
    figure('  p99, ms', quantile(http.milliseconds, 0.99), {
      reference: quantile(bare.milliseconds, 0.99),
      atMost: 3,
    }),
  ];
}

/** Over connections of this round alone: the server closes those that are idle between two. */
export async function postAll(url: string, keys: readonly string[]): Promise<Load> {
  const posters = await Promise.all(
    Array.from({ length: concurrency }, () => openPoster(url, adminToken)),
  );
  try {
    return await load(keys, concurrency, async (key, lane) => {
      const answer = await posters[lane]?.post(pauseInstance, { instance: key });
      if (!answer?.includes('"InstanceCommandAccepted"')) throw new Error(`${key}: ${answer}`);
    });
  } finally {
    for (const poster of posters) poster.close();
  }
}

async function pause(store: OpenStore, key: string): Promise<void> {
  const { outcome } = await commandInstance(store, 'PAUSE', {
    organizationId: store.defaultOrganizationId,
    actor,
    reference: key,
    reason: null,
    expectedSequence: null,
    idempotency: null,
  });
  if (outcome !== 'ACCEPTED') throw new Error(`${key}: ${outcome}`);
}

/** The changes that pausing these instances makes, decided before anything is timed. */
export async function decideAll(store: OpenStore, keys: readonly string[]): Promise<Change[]> {
  const rows = await store.database.query<{ id: string }>(
    `select i.id from jsonb_array_elements_text($1::text::jsonb) k join instances i on i.key = k`,
    [JSON.stringify(keys)],
  );
  const changes: Change[] = [];
  for (const { id } of rows) {
    const snapshot = await instanceSnapshot(store, id);
    if (!snapshot) throw new Error(`There is no instance ${id}.`);
    const change = decideInstanceCommand(snapshot, 'PAUSE', {
      newId: () => crypto.randomUUID(),
      deadlines: store.deadlines,
      actor,
      reason: null,
    });
    if ('refused' in change) throw new Error(change.message);
    changes.push(change);
  }
  return changes;
}

/** The guarded statement, once. */
export async function writeBare(store: OpenStore, change: Change): Promise<void> {
  const { defaultOrganizationId: organizationId } = store;
  const written = await commitChange(store.database, change, { organizationId });
  if ('lost' in written) throw new Error('The change was not written.', { cause: written.cause });
}

/** The server's worker has begun, and has looked at every runtime once, as after each start. */
export async function untilIdle(store: OpenStore): Promise<void> {
  for (;;) {
    const [row] = await store.database.query<{ idle: boolean }>(
      `select exists (select from workers where beat > 0 and not dead)
              and not exists (select from work where due_at <= clock_timestamp()) as idle`,
    );
    if (row?.idle) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
