/**
 * Deletes old rows from the beginning of the log: whole revisions, always a prefix. The statement
 * that deletes also stores how far the log was pruned. Resources keep their last transition in
 * their own row.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { backOff } from '../../timing/back-off.ts';
import { waitAtMost } from '../../timing/time-limit.ts';
import type { Database } from '../database/database.ts';
import { dnsConfirmations } from '../table/state-sets.ts';
import { readLogHolders } from './log.ts';

export interface Retention {
  /** Deletes what is due, unless that is running already; resolves when it has ended. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export interface RetentionOptions {
  /** Retention of the log, in days. */
  readonly days: number;
  readonly warn: (message: string) => void;
}

const firstPruneSeconds = 2;
const pruneIntervalSeconds = 3600;
/** Rows of a batch; whole revisions, so it may be a few more. */
const batchRows = 1000;
/** Pause between batches, so that writers are not delayed. */
const batchPauseMs = 10;
/** How long to wait for transactions that were open when the batch was chosen. */
const maxWriterWaitSeconds = 30;
const writersBackOffMs = { first: 2, max: 250 };

/** A batch: revisions above `above` and up to `through`. */
interface Batch {
  readonly above: number;
  readonly through: number;
}

const NEXT_BATCH = /* sql */ `
with oldest as materialized (
  select l.revision, l.at from log l
   where l.revision > (select pruned_through from store_identity where id = 1)
   order by l.revision, l.place limit $2::int
), kept as (
  select min(revision) as first from oldest
   where at >= clock_timestamp() - make_interval(secs => $1::float8)
)
select (select pruned_through from store_identity where id = 1) as above,
       max(revision) filter (where first is null or revision < first) as through
  from oldest, kept`;

/** Deletes nothing if another node is deleting, or has deleted the batch. */
const DELETE = /* sql */ `
with locked as materialized (
  select id from store_identity
   where id = 1 and pruned_through = $1::bigint for update skip locked
), deleted as (
  delete from log where revision > $1::bigint and revision <= $2::bigint
     and exists (select from locked)
  returning resource_id, host_from, host_to, at
), confirmed as (
  update dns_records d set confirmed_at = c.at
    from (select resource_id, max(at) as at from deleted
           where (host_from, host_to) in ${dnsConfirmations}
           group by resource_id) c
   where d.host_id = c.resource_id
)
update store_identity i
   set pruned_through = $2::bigint,
       pruned_until = greatest(i.pruned_until, (select max(at) from deleted))
  from locked where i.id = locked.id
returning i.pruned_through`;

/** Runs soon after the start, then once an hour. Only one node of a database deletes at a time. */
export function startRetention(database: Database, { days, warn }: RetentionOptions): Retention {
  let looking: Promise<void> | null = null;
  let stopped = false;

  async function run(): Promise<void> {
    let deleted = false;
    while (!stopped) {
      const batch = await nextBatch(database, days);
      if (!batch || !(await isDecided(database, () => stopped))) break;
      const rows = await database.query(DELETE, [batch.above, batch.through]);
      if (rows.length === 0) break;
      deleted = true;
      await pause(batchPauseMs);
    }
    // PostgreSQL has autovacuum.
    if (deleted && database.kind === 'PGLITE') await database.query('vacuum (analyze) log');
  }

  const look = (): Promise<void> => {
    looking ??= run()
      .catch((error: Error) => warn(`Transitions could not be deleted: ${error.message}`))
      .finally(() => {
        looking = null;
      });
    return looking;
  };
  const first = setTimeout(look, firstPruneSeconds * 1000);
  const timer = setInterval(look, pruneIntervalSeconds * 1000);
  first.unref();
  timer.unref();
  return {
    look,
    async stop() {
      stopped = true;
      clearTimeout(first);
      clearInterval(timer);
      // A statement without an answer is abandoned.
      await waitAtMost(2000, looking);
    },
  };
}

async function nextBatch(database: Database, days: number): Promise<Batch | null> {
  const [found] = await database.query<Batch | { through: null }>(NEXT_BATCH, [
    days * 86_400,
    batchRows,
  ]);
  return found && found.through !== null ? found : null;
}

/**
 * Waits for the transactions that were open when the batch was chosen: one may hold a revision
 * within the batch, which must not appear in the pruned part of the log.
 *
 * @returns false if one of them does not end in time; the next run tries again
 */
async function isDecided(database: Database, isOver: () => boolean): Promise<boolean> {
  if (database.kind === 'PGLITE') return true;
  const writers = new Set(await readLogHolders(database));
  const until = performance.now() + maxWriterWaitSeconds * 1000;
  for (let looks = 0; writers.size > 0; looks += 1) {
    if (isOver() || performance.now() > until) return false;
    await pause(backOff(writersBackOffMs, looks));
    const writing = new Set(await readLogHolders(database));
    for (const writer of writers) if (!writing.has(writer)) writers.delete(writer);
  }
  return true;
}
