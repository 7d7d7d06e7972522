/**
 * Watches of logs that are kept beside their runtimes (working storage LOCAL). While somebody reads such
 * a log, its runtime sends a copy of its lines; the copy is deleted when the watch ends.
 */
import type { Store } from '../commit/store.ts';
import type { StoredFailure } from '../table/schema.ts';

/** A watch that is not renewed ends after this time. */
export const watchSeconds = 30;

export interface LogWatch {
  /** The state of the instance. */
  readonly state: string;
  /** The run that could send its log; null: none is live. */
  readonly runId: string | null;
  /** Has that run sent its newest lines, and does it send each new one? */
  readonly isFollowed: boolean;
  readonly failure: StoredFailure | null;
}

/** Deletes the copies of lines of the instances in `ended`, so that a later watch can send them again. */
const DELETE_COPIES = /* sql */ `
deleted as (
  delete from runtime_logs l using ended where l.instance_id = ended.instance_id and l.is_copy
  returning l.run_id
), renumbered as (
  update runs set last_log_number = 0 where id in (select run_id from deleted)
)`;

/** Nothing can be copied before the row of the watch is committed, so leftovers are all older. */
const BEGIN = /* sql */ `
with ended as (
  insert into log_watches (id, instance_id, watched_until)
  values (gen_random_uuid(), $1::uuid, clock_timestamp() + make_interval(secs => ${watchSeconds}))
  on conflict (instance_id) do nothing returning instance_id
), ${DELETE_COPIES} select from ended`;

const RENEW = /* sql */ `
update log_watches set watched_until = clock_timestamp() + make_interval(secs => ${watchSeconds})
 where instance_id = $1::uuid and watched_until > clock_timestamp() returning id`;

const STATE = /* sql */ `
select i.state, r.id as "runId", i.failure,
       coalesce(w.followed_run_id = r.id and i.reachability = 'OK', false) as "isFollowed"
  from instances i
  left join runs r on r.id = i.run_id and r.ended_at is null and not i.runtime_gone
  left join log_watches w on w.instance_id = i.id
 where i.id = $1::uuid`;

/** Begins or renews the watch of an instance's log. */
export async function watchLog(
  { database }: Pick<Store, 'database'>,
  instanceId: string,
): Promise<LogWatch | null> {
  const renewed = await database.query(RENEW, [instanceId]);
  if (renewed.length === 0) {
    await endLapsedLogWatches({ database });
    await database.query(BEGIN, [instanceId]);
  }
  const [watch] = await database.query<LogWatch & Record<string, unknown>>(STATE, [instanceId]);
  return watch ?? null;
}

/** Ends the watches that were not renewed, and deletes what was copied for them. */
export async function endLapsedLogWatches({ database }: Pick<Store, 'database'>): Promise<void> {
  await database.query(`with ended as (
    delete from log_watches where watched_until <= clock_timestamp() returning instance_id
  ), ${DELETE_COPIES} select from ended`);
}

/** The watch of the log of a run's instance, and how long it lasts unless it is renewed; null: none. */
export async function readLogWatch(
  { database }: Pick<Store, 'database'>,
  runId: string,
): Promise<{ id: string; milliseconds: number } | null> {
  const [watch] = await database.query<{ id: string; milliseconds: number }>(
    `select w.id, extract(epoch from w.watched_until - clock_timestamp())::float8 * 1000 as milliseconds
       from log_watches w join runs r on r.instance_id = w.instance_id
      where r.id = $1::uuid and w.watched_until > clock_timestamp()`,
    [runId],
  );
  return watch ?? null;
}

/** The run has sent its newest lines for this watch. */
export async function recordLogFollowed(
  { database }: Pick<Store, 'database'>,
  { watch, runId }: { watch: string; runId: string },
): Promise<void> {
  await database.query('update log_watches set followed_run_id = $2::uuid where id::text = $1', [
    watch,
    runId,
  ]);
}

/** Is the log of the instance kept beside its runtime? */
export async function isLogLocal(
  { database }: Pick<Store, 'database'>,
  instanceId: string,
): Promise<boolean> {
  const rows = await database.query(
    `select from instances where id = $1::uuid and coalesce(working_storage, 'LOCAL') = 'LOCAL'`,
    [instanceId],
  );
  return rows.length > 0;
}
