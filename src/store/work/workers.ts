/**
 * Workers hold leases on work. A living worker increments its beat and, on PostgreSQL, holds an advisory
 * lock through a connection of its own; the leases of a dead worker are taken over. The rules:
 * docs/feed.md, "Leases and fencing".
 */
import type { Store } from '../commit/store.ts';
import type { Session } from '../database/database.ts';

/** A worker as its peers see it. It was alive when its beat last changed. */
export interface Peer {
  readonly id: number;
  readonly beat: number;
}

/** The first of the two keys of every worker's advisory lock; the second is the worker's id. */
const WORKER_LOCK_CLASS = 515_172_749;
/** An id as the second key, which has 31 bits. */
const keyOf = (id: string): string => `(${id} % 2147483648)::int`;

/** Registers a worker and returns its id; a restarted worker gets a new one. */
export async function registerWorker(store: Store, name: string): Promise<number> {
  const [row] = await store.database.query<{ id: number }>(
    `insert into workers (id, name) values (nextval('worker_ids'), $1) returning id`,
    [name],
  );
  if (!row) throw new Error('The worker could not be registered.');
  return Number(row.id);
}

/** One heartbeat. False if peers declared this worker dead and requeued its items. */
export async function beat(store: Store, id: number): Promise<boolean> {
  const rows = await store.database.query(
    'update workers set beat = beat + 1 where id = $1::bigint and not dead returning id',
    [id],
  );
  return rows.length > 0;
}

/** Every other worker that is not known to be dead. */
export function peers(store: Store, id: number): Promise<Peer[]> {
  return store.database.query<Peer>(
    'select id, beat from workers where not dead and id <> $1::bigint',
    [id],
  );
}

/**
 * Ends the lease of a worker: marks it dead and requeues its items, in one statement. Returns the
 * number of items; null if it was dead already, or its beat has changed since.
 */
export async function revokeLease(
  store: Store,
  { id, beat }: { id: number; beat?: number },
): Promise<number | null> {
  const [row] = await store.database.query<{ dead: number; items: number }>(
    `with dead as (
       update workers set dead = true
        where id = $1::bigint and not dead and beat = coalesce($2::bigint, beat)
       returning id
     ), requeued as (
       update work w set worker = null, token = null
         from dead where w.worker = dead.id returning w.resource_id
     )
     select (select count(*)::int from dead) as dead, (select count(*)::int from requeued) as items`,
    [id, beat ?? null],
  );
  return row?.dead ? row.items : null;
}

/** Requeues items held by a dead worker: a claim may commit while its worker is declared dead. */
export async function requeueUnowned(store: Store): Promise<void> {
  await store.database.query(
    `update work set worker = null, token = null
      where worker is not null
        and not exists (select from workers w where w.id = work.worker and not w.dead)`,
  );
}

/**
 * Takes the advisory lock of a worker in a session, records that in the worker's row and increments
 * its beat. Returns the process id of the session's backend; null if the lock is held already, or
 * the worker is dead.
 */
export async function takeLock(session: Session, id: number): Promise<number | null> {
  const [lock] = await session.query<{ taken: boolean; backend: number }>(
    `select pg_try_advisory_lock(${WORKER_LOCK_CLASS}, ${keyOf('$1::bigint')}) as taken,
            pg_backend_pid() as backend`,
    [id],
  );
  if (!lock?.taken) return null;
  const rows = await session.query(
    `update workers set holds_lock = true, beat = beat + 1
      where id = $1::bigint and not dead returning id`,
    [id],
  );
  return rows.length > 0 ? lock.backend : null;
}

/**
 * Records in the worker's row that it holds no lock, and increments its beat. False if it was
 * declared dead.
 */
export async function disclaimLock(store: Store, id: number): Promise<boolean> {
  const rows = await store.database.query(
    `update workers set holds_lock = false, beat = beat + 1
      where id = $1::bigint and not dead returning id`,
    [id],
  );
  return rows.length > 0;
}

/**
 * The other workers whose rows say that they hold their lock while no session does, and the process
 * id of the backend that this was read with. The rows are read before the locks: a lock is taken
 * before its row is written.
 */
export async function unlockedPeers(
  session: Session,
  id: number,
): Promise<{ backend: number; peers: Peer[] }> {
  const rows = await session.query<{ backend: number; id: number | null; beat: number }>(
    `select pg_backend_pid() as backend, unlocked.id, unlocked.beat
       from (select) as one left join (
         select w.id, w.beat from workers w
          where w.holds_lock and not w.dead and w.id <> $1::bigint
            and not exists (
              select from pg_locks l
               where l.locktype = 'advisory' and l.classid = ${WORKER_LOCK_CLASS} and l.objsubid = 2
                 and l.objid = ${keyOf('w.id')}::oid and l.granted
                 and l.database = (select oid from pg_database where datname = current_database()))
       ) unlocked on true`,
    [id],
  );
  return {
    backend: rows[0]?.backend ?? 0,
    peers: rows.flatMap(({ id, beat }) => (id === null ? [] : { id, beat })),
  };
}
