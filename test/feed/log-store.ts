/** A migrated store of either kind with writers of log rows, for the tests of the feed. */
import { randomUUID } from 'node:crypto';
import type { FeedEvent, LogEvent } from '../../src/feed/channel/event.ts';
import { createFeed, type Feed, type FeedOptions } from '../../src/feed/feed.ts';
import { createStore, type Store } from '../../src/store/commit/store.ts';
import type { Database } from '../../src/store/database/database.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { openTestPglite } from '../harness/embedded.ts';
import type { FeedStream } from './stream.ts';

export type Kind = Database['kind'];

export interface LogStore {
  readonly database: Database;
  readonly store: Store;
  readonly organizationId: string;
  /** PostgreSQL: the address of the database. */
  readonly url: string | null;
  /** Starts a feed; PostgreSQL: with `apart`, as another node with connections of its own. */
  feed(options?: FeedOptions & { apart?: boolean }): Promise<Feed & { database: Database }>;
  /** Commits a revision with so many rows and says so to the store; the revision. */
  append(rows?: RowsOptions): Promise<number>;
  /** Stops the feeds and makes the log a new one. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export interface RowsOptions {
  readonly count?: number;
  readonly resourceId?: string;
  readonly sequence?: number;
  readonly organizationId?: string;
  readonly operationId?: string;
  /** False: another process committed, and nobody here is told. */
  readonly told?: boolean;
}

/** Appends `$1` rows of `$2` (organization), `$3` (resource), `$4` (sequence), `$5` (operation). */
export const APPEND = /* sql */ `
insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence, at,
                 operation_id, actor, details)
select r.revision, n - 1, $2::uuid, 'DESIRED', 'INSTANCE', $3::uuid, $4::int, clock_timestamp(),
       $5::text::uuid, '{"kind":"USER","name":"test"}', jsonb_build_object('n', n)
  from (select nextval('log_revisions') as revision) r, generate_series(1, $1::int) n
returning revision`;

export async function openLogStore(kind: Kind): Promise<LogStore> {
  const test = kind === 'POSTGRES' ? await createMigratedDatabase() : null;
  const database = test ? openPostgres(test.url, { connections: 8 }) : await openTestPglite();
  await database.query(
    `insert into store_identity (id, epoch, cursor_secret)
     values (1, gen_random_uuid(), 'a secret of a test')`,
  );
  const store = createStore(database, {} as Store['deadlines']);
  const organizationId = randomUUID();
  const closing: (() => Promise<void>)[] = [];
  async function stopFeeds(): Promise<void> {
    for (const stop of closing.splice(0)) await stop();
  }
  return {
    database,
    store,
    organizationId,
    url: test?.url ?? null,
    async feed({ apart, ...options } = {}) {
      const own = apart && test ? openPostgres(test.url, { connections: 4 }) : database;
      const feed = createFeed(
        own === database ? store : createStore(own, store.deadlines),
        options,
      );
      closing.unshift(async () => {
        await feed.stop();
        if (own !== database) await own.close();
      });
      await feed.start();
      return Object.assign(feed, { database: own });
    },
    async append({ told = true, ...rows } = {}) {
      const [row] = await database.query<{ revision: number }>(APPEND, [
        rows.count ?? 1,
        rows.organizationId ?? organizationId,
        rows.resourceId ?? randomUUID(),
        rows.sequence ?? 0,
        rows.operationId ?? null,
      ]);
      const revision = row?.revision ?? 0;
      if (told) store.committed({ revision, work: false });
      return revision;
    },
    async reset() {
      await stopFeeds();
      await database.query('truncate log');
      await database.query('alter sequence log_revisions restart');
      await database.query(
        'update store_identity set epoch = gen_random_uuid(), pruned_through = 0',
      );
    },
    async close() {
      await stopFeeds();
      await database.close();
      await test?.drop();
    },
  };
}

/** Takes batches until there are so many events; the events. */
export async function take(stream: FeedStream, count: number): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  while (events.length < count) {
    const { done, value } = await stream.next();
    if (done) break;
    events.push(...logEvents(value));
  }
  return events;
}

export function logEvents(batch: readonly FeedEvent[]): LogEvent[] {
  return batch.filter((event): event is LogEvent => event.kind !== 'BOOKMARK');
}

/** Where events are in the log, to compare. */
export function places(events: readonly LogEvent[]): string[] {
  return events.map(({ revision, place }) => `${revision}/${place}`);
}
