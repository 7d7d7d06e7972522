/**
 * The stream of one instance resumed behind 1,000,000 rows of others, to its first frame: the instance
 * wrote one row before them and one after them. The reference is the same stream behind no rows.
 * A node that has just started has none of them in memory.
 */
import { type Client, createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { untilIdle } from './commands.ts';
import { held } from './feed/aims.ts';
import { type Figure, median } from './figures.ts';
import { keyOf } from './fleet.ts';
import { adminToken, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const instances = 1_000;
const rowsOfOthers = 1_000_000;
const rounds = 20;

const watchInstance = /* GraphQL */ `
  subscription Watch($instance: ID!, $after: Cursor) {
    instanceTransitions(instance: $instance, after: $after) { cursor sequence toState }
  }`;

type Database = Awaited<ReturnType<Bench['createDatabase']>>;

export async function measureResumes(bench: Bench): Promise<Figure[]> {
  const behindNone = await openSide(bench, await bench.createDatabase(instances), 0);
  const behindMany = await openSide(bench, await bench.createDatabase(instances), rowsOfOthers);
  try {
    const milliseconds = { none: [] as number[], many: [] as number[] };
    for (let round = -3; round < rounds; round += 1) {
      const none = await behindNone.resume();
      const many = await behindMany.resume();
      if (round < 0) continue;
      milliseconds.none.push(none);
      milliseconds.many.push(many);
    }
    return [
      held(
        `one instance resumed behind ${rowsOfOthers} rows of others, to the first frame, ms`,
        median(milliseconds.many),
        { reference: median(milliseconds.none), atMost: 20 },
      ),
    ];
  } finally {
    await behindMany.close();
    await behindNone.close();
  }
}

/** A node over a log with so many rows of others between two of one instance. */
async function openSide(bench: Bench, { url, store }: Database, rows: number) {
  const { database } = store;
  const dataDir = await bench.createFolder();
  const before = await startServer({ databaseUrl: url, dataDir });
  const after = await feedPosition(before.url);
  await before.stop();
  if (rows > 0) await appendRows(database, rows);
  await database.query(transition, [keyOf(1)]);
  await database.query('vacuum analyze log');
  const server = await startServer({ databaseUrl: url, dataDir });
  await untilIdle(store);
  const client = createClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${adminToken}` },
    lazy: false,
  });
  return {
    resume: () => firstFrame(client, { instance: keyOf(1), after }),
    async close() {
      await client.dispose();
      await server.stop();
    },
  };
}

function firstFrame(client: Client, variables: Record<string, unknown>): Promise<number> {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const end = client.subscribe(
      { query: watchInstance, variables },
      {
        next({ errors }) {
          const took = performance.now() - from;
          if (errors) reject(new Error(JSON.stringify(errors)));
          else resolve(took);
          setImmediate(() => end());
        },
        error: reject,
        complete() {},
      },
    );
  });
}

async function feedPosition(url: string): Promise<string> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ feedPosition }' }),
  });
  const { data } = (await response.json()) as { data: { feedPosition: string } };
  return data.feedPosition;
}

const off = `off as (select set_config('session_replication_role', 'replica', true))`;
const columns = `revision, place, organization_id, kind, resource_kind, resource_id, sequence, at, actor`;
const actor = `'{"kind":"USER","name":"bench"}'::jsonb`;

/** The next transition of an instance. */
const transition = /* sql */ `
with ${off}, moved as (
  update instances i set sequence = i.sequence + 1 from off where i.key = $1 returning i.*
)
insert into log (${columns}, instance_from, instance_to)
select nextval('log_revisions'), 0, organization_id, 'TRANSITION', 'INSTANCE', id, sequence,
       clock_timestamp(), ${actor}, 'RUNNING', 'PAUSING' from moved`;

/** So many rows of all instances but the first, of theirs in turns, each with a revision of its own. */
async function appendRows(database: Database['store']['database'], rows: number): Promise<void> {
  const each = 100_000;
  for (let done = 0; done < rows; done += each)
    await database.query(
      `with ${off}, others as (
         select row_number() over (order by key) as place, id, organization_id, sequence
           from instances where key <> $1
       ), steps as (
         select o.*, n from off, generate_series(1, $2::int) n
           join others o on o.place = 1 + n % $3::int order by n
       )
       insert into log (${columns})
       select nextval('log_revisions'), 0, organization_id, 'DESIRED', 'INSTANCE', id, sequence,
              clock_timestamp(), ${actor} from steps`,
      [keyOf(1), each, instances - 1],
    );
}
