/**
 * Reads of the log. The statement that returns rows also returns what decides whether they are
 * valid: the epoch, how far the log was pruned, and its newest revision.
 */
import type { Database, Parameter, Queries } from '../database/database.ts';
import type { ChangeKind, LoggedResourceKind } from '../table/values.ts';
import { ensureEpoch, validEpochSql } from './epoch.ts';

/** A row of the log, as the statements below return it. */
export interface LogRow {
  readonly revision: number;
  readonly place: number;
  readonly organizationId: string;
  readonly kind: ChangeKind;
  readonly resourceKind: LoggedResourceKind;
  readonly resourceId: string;
  readonly sequence: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly at: Date;
  readonly operationId: string | null;
  readonly causedByOperationId: string | null;
  readonly causedByResourceId: string | null;
  readonly causedBySequence: number | null;
  readonly actor: { readonly kind: string; readonly name: string };
  readonly details: Readonly<Record<string, unknown>>;
}

/** A position in the log: a revision, and the place of a row within it. */
export interface LogPosition {
  readonly revision: number;
  readonly place: number;
}

export interface LogState {
  /**
   * Cursors of another epoch are invalid. Null: the lineage has changed, and the store may have
   * gone back in time. Its rows must not be delivered until `readIdentity` has settled the epoch.
   */
  readonly epoch: string | null;
  /** Rows up to this revision may be gone. */
  readonly prunedThrough: number;
  /** The highest visible revision; at least `prunedThrough`. */
  readonly newest: number;
}

export interface LogPage extends LogState {
  readonly rows: LogRow[];
  /** There may be more rows than these. */
  readonly full: boolean;
}

export interface StoreIdentity extends LogState {
  readonly epoch: string;
  readonly cursorSecret: string;
}

const COLUMNS = /* sql */ `
  revision, place, organization_id as "organizationId", kind, resource_kind as "resourceKind",
  resource_id as "resourceId", sequence, coalesce(instance_from::text, host_from::text) as "from",
  coalesce(instance_to::text, host_to::text) as "to", at, operation_id as "operationId",
  caused_by_operation_id as "causedByOperationId",
  caused_by_resource_id as "causedByResourceId", caused_by_sequence as "causedBySequence", actor,
  details`;

const TAIL = /* sql */ `
select ${COLUMNS} from log where revision > $1::bigint order by revision, place limit $2::int`;

// A text of its own for the rows of one resource: as one, with a condition on whether a resource is
// given, the prepared statement would read every row of the organization.
const after = (ofResource: string) => /* sql */ `
select ${COLUMNS} from log
 where organization_id = $1::uuid and revision >= $2::bigint
   and (revision, place) > ($2::bigint, $3::int) and revision <= $4::bigint ${ofResource}
 order by revision, place limit $5::int`;

const before = (ofResource: string) => /* sql */ `
select ${COLUMNS} from log
 where organization_id = $1::uuid and revision <= $2::bigint
   and (revision, place) < ($2::bigint, $3::int) ${ofResource}
 order by revision desc, place desc limit $4::int`;

/** The statements for one kind of store. */
function statementsOn(kind: Database['kind']) {
  const state = /* sql */ `
    select ${validEpochSql(kind)} as epoch, pruned_through as "prunedThrough",
           greatest(pruned_through, (select max(revision) from log)) as newest
      from store_identity where id = 1`;
  /**
   * The state of the log and the rows of `part`, in one snapshot. Without rows there is one result
   * row, with the state alone.
   */
  const page = (part: string, direction: 'asc' | 'desc'): string => /* sql */ `
    with state as materialized (${state})
    select state.*, l.* from state left join lateral (${part}) l on true
     order by l.revision ${direction}, l.place ${direction}`;
  return {
    state,
    identity: `select s.*, i.cursor_secret as "cursorSecret"
                 from (${state}) s, store_identity i where i.id = 1`,
    tail: page(TAIL, 'asc'),
    after: page(after(''), 'asc'),
    afterOfResource: page(after('and resource_id = $6::uuid'), 'asc'),
    before: page(before(''), 'desc'),
    beforeOfResource: page(before('and resource_id = $5::uuid'), 'desc'),
  };
}

const statements = { POSTGRES: statementsOn('POSTGRES'), PGLITE: statementsOn('PGLITE') };

const HOLDERS = /* sql */ `
select distinct virtualtransaction as holder from pg_locks
 where locktype = 'relation' and relation = 'log'::regclass and granted
   and database = (select oid from pg_database where datname = current_database())
   and mode = 'RowExclusiveLock'`;

/**
 * The identity of the store and the state of its log. If its lineage has changed, the epoch is
 * settled first.
 *
 * @throws if the store was never set up
 */
export async function readIdentity(database: Queries): Promise<StoreIdentity> {
  for (;;) {
    const [row] = await database.query<LogState & { cursorSecret: string }>(
      statements[database.kind].identity,
    );
    if (!row) return noIdentity();
    const { epoch, ...rest } = row;
    if (epoch !== null) return { ...rest, epoch };
    await ensureEpoch(database);
  }
}

/** The state of the log. */
export async function readLogState(database: Queries): Promise<LogState> {
  const [row] = await database.query<LogState>(statements[database.kind].state);
  return row ?? noIdentity();
}

/**
 * The transactions that may hold a revision and have not committed it. A writer takes this lock
 * before it draws the revision and keeps it until the row is visible or rolled back. PostgreSQL
 * only. Must run as a statement of its own before the read of the rows.
 */
export async function readLogHolders(database: Queries): Promise<string[]> {
  const rows = await database.query<{ holder: string }>(HOLDERS);
  return rows.map(({ holder }) => holder);
}

/** Rows of all organizations above a revision, whole revisions only. For the tail. */
export function readLogTail(
  database: Queries,
  { above, limit }: { above: number; limit: number },
): Promise<LogPage> {
  return wholeRevisions(limit, (atMost) => read(database, 'tail', [above, atMost], atMost));
}

const NEWEST = /* sql */ `
select * from (
  select ${COLUMNS} from log where revision <= $1::bigint order by revision desc, place desc limit $2::int) l
 order by revision, place`;

/**
 * The newest rows of all organizations up to a revision, in the order of the log, at most `limit`.
 * A revision that the limit would cut is left out.
 */
export async function readLogNewest(
  database: Queries,
  through: number,
  limit: number,
): Promise<LogRow[]> {
  const rows = await database.query<LogRow>(NEWEST, [through, limit]);
  const first = rows[0]?.revision;
  return rows.length < limit ? rows : rows.filter(({ revision }) => revision !== first);
}

/** Which rows of an organization's log to read. */
export interface LogSelection {
  readonly organizationId: string;
  /** Only rows of this resource. */
  readonly resourceId: string | null;
  /** The last revision to read: higher ones may still be undecided. */
  readonly through: number;
  readonly limit: number;
}

/** Rows of an organization after a position, oldest first. */
export function readLogAfter(
  database: Queries,
  after: LogPosition,
  { organizationId, resourceId, through, limit }: LogSelection,
): Promise<LogPage> {
  return wholeRevisions(limit, (atMost) =>
    read(
      database,
      resourceId === null ? 'after' : 'afterOfResource',
      [organizationId, after.revision, after.place, through, atMost, ...optional(resourceId)],
      atMost,
    ),
  );
}

/** Rows of an organization before a position, newest first. */
export function readLogBefore(
  database: Queries,
  before: LogPosition,
  { organizationId, resourceId, limit }: Omit<LogSelection, 'through'>,
): Promise<LogPage> {
  return read(
    database,
    resourceId === null ? 'before' : 'beforeOfResource',
    [organizationId, before.revision, before.place, limit, ...optional(resourceId)],
    limit,
  );
}

const optional = (resourceId: string | null): string[] => (resourceId === null ? [] : [resourceId]);

async function read(
  database: Queries,
  statement: Exclude<keyof (typeof statements)['POSTGRES'], 'state' | 'identity'>,
  parameters: Parameter[],
  limit: number,
): Promise<LogPage> {
  const found = await database.query<LogState & (LogRow | { revision: null })>(
    statements[database.kind][statement],
    parameters,
  );
  const [first] = found;
  if (!first) return noIdentity();
  const { epoch, prunedThrough, newest } = first;
  const rows = found.filter((row): row is LogState & LogRow => row.revision !== null);
  return { epoch, prunedThrough, newest, rows, full: rows.length === limit };
}

/** Leaves out a revision that the page cuts; a revision larger than the page enlarges the page. */
async function wholeRevisions(
  limit: number,
  readAtMost: (limit: number) => Promise<LogPage>,
): Promise<LogPage> {
  for (let atMost = limit; ; atMost *= 4) {
    const found = await readAtMost(atMost);
    if (!found.full) return found;
    const last = found.rows.at(-1)?.revision;
    const rows = found.rows.filter(({ revision }) => revision !== last);
    if (rows.length > 0) return { ...found, rows };
  }
}

function noIdentity(): never {
  throw new Error('The store has no identity: run its migrations and the first start before this.');
}
