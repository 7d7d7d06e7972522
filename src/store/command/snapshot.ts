/** Reads what a decision needs, in one statement. */
import DataLoader from 'dataloader';
import type { HostSnapshot, InstanceSnapshot, Snapshot } from '../../lifecycle/change.ts';
import type { ActiveOperation } from '../../lifecycle/operation.ts';
import type { Idempotency } from '../commit/options.ts';
import type { Store } from '../commit/store.ts';
import { isId, isKey } from '../input/checks.ts';
import { active } from '../table/state-sets.ts';
import { keyOf, type StoredResult, storedResultSql } from './idempotency.ts';

export interface StoredSnapshot extends Snapshot {
  readonly organizationId: string;
}

// Looked up rather than joined: a join is planned by how many operations were active at that time.
const operationOf = (column: string, id: string): string => /* sql */ `(
  select jsonb_build_object('id', o.id, 'kind', o.kind, 'status', o.status, 'phase', o.phase,
      'parentId', o.parent_id, 'update', o.runtime_update)
    from operations o where o.${column} = ${id} and o.status in ${active})`;

/** A snapshot of the instance `i`. */
export const instanceJson = /* sql */ `jsonb_build_object('id', i.id, 'key', i.key, 'hostId', i.host_id,
  'state', i.state, 'sequence', i.sequence, 'guard', i.guard, 'desired', i.desired,
  'reachability', i.reachability, 'unreachableBecause', i.unreachable_because, 'runId', i.run_id,
  'runtimeGone', i.runtime_gone, 'image', case when i.container_repository_id is not null then
    jsonb_build_object('tag', i.container_tag,
      'digest', (select r.image_digest from runs r where r.id = i.run_id)) end, 'operation', ${operationOf('instance_id', 'i.id')})`;

/** A snapshot of the host `h`. */
export const hostJson = /* sql */ `jsonb_build_object('id', h.id, 'key', h.key, 'driver', h.driver, 'state', h.state,
  'sequence', h.sequence, 'guard', h.guard, 'operation', ${operationOf('host_id', 'h.id')})`;

/** Snapshots of all instances that name the host `h`. */
export const instancesOfHost = /* sql */ `coalesce((
  select jsonb_agg(${instanceJson} order by i.id) from instances i
   where i.host_id = h.id and i.archived_at is null), '[]')`;

const INSTANCE = /* sql */ `
select i.organization_id as "organizationId", ${instanceJson} as instance,
       (select ${hostJson} from hosts h where h.id = i.host_id) as host
  from instances i where i.archived_at is null`;

const HOST = /* sql */ `
select h.organization_id as "organizationId", ${hostJson} as host, ${instancesOfHost} as instances
  from hosts h where h.archived_at is null`;

export type { ActiveOperation };

interface InstanceRow {
  readonly organizationId: string;
  readonly instance: InstanceSnapshot;
  readonly host: HostSnapshot | null;
}

interface HostRow {
  readonly organizationId: string;
  readonly host: HostSnapshot;
  readonly instances: InstanceSnapshot[];
}

/** An instance, its host and their active operations; null where it is not there or archived. */
export async function instanceSnapshot(store: Store, id: string): Promise<StoredSnapshot | null> {
  const [row] = await store.database.query<InstanceRow>(`${INSTANCE} and i.id = $1::uuid`, [id]);
  return row ? snapshotOf(row) : null;
}

/** A host, all instances that name it, and their active operations. */
export async function hostSnapshot(store: Store, id: string): Promise<StoredSnapshot | null> {
  const [row] = await store.database.query<HostRow>(`${HOST} and h.id = $1::uuid`, [id]);
  return row ?? null;
}

const snapshotOf = ({ organizationId, host, instance }: InstanceRow): StoredSnapshot => ({
  organizationId,
  host,
  instances: [instance],
});

/** The resource that a command refers to, and the stored result of its idempotency key, read in one statement. */
export interface CommandRead<S> {
  readonly snapshot: S | null;
  readonly before: StoredResult | null;
}

export interface InstanceToCommand extends StoredSnapshot {
  readonly edition: string;
  /** Is there a version that it could run? */
  readonly published: boolean;
}

/** Reads the instance that a command names. `reference` is a uuid or a key. */
export async function instanceToCommand(
  store: Store,
  command: CommandReference,
): Promise<CommandRead<InstanceToCommand>> {
  const { row, before } = await readNamed<InstanceRow & InstanceToCommand>(store, command, {
    text: INSTANCE_TO_COMMAND,
    alias: 'i',
  });
  const snapshot = row && { ...snapshotOf(row), edition: row.edition, published: row.published };
  return { snapshot, before };
}

/** Reads the host that a command names. `reference` is a uuid or a key. */
export async function hostToCommand(
  store: Store,
  command: CommandReference,
): Promise<CommandRead<StoredSnapshot>> {
  const { row, before } = await readNamed<HostRow>(store, command, { text: HOST, alias: 'h' });
  return { snapshot: row, before };
}

interface CommandReference {
  readonly organizationId: string;
  readonly reference: string;
  readonly idempotency: Idempotency | null;
}

const INSTANCE_TO_COMMAND = INSTANCE.replace(
  'select ',
  `select i.edition, i.solution_version_id is not null or exists (
     select from solution_versions v where v.solution_id = i.solution_id) as published,
   `,
);

/** Which rows of which table a command may name. */
interface Named {
  readonly text: string;
  readonly alias: string;
}

async function readNamed<R extends { organizationId: string }>(
  store: Store,
  { organizationId, reference: given, idempotency }: CommandReference,
  named: Named,
): Promise<{ row: R | null; before: StoredResult | null }> {
  const column = isId(given) ? 'id' : 'key';
  // What cannot be a key is not there, whatever else it is.
  const reference = isId(given) || isKey(given) ? given : '';
  if (!idempotency) {
    const loader = loaderOf<R>(store, named, column);
    return { row: await loader.load({ organizationId, reference }), before: null };
  }
  const [row] = await store.database.query<R & { before: StoredResult | null }>(
    `select found.*, (${storedResultSql(3)}) as before
       from (select) one left join (${oneOf(named, column)}) found on true`,
    [organizationId, reference, ...keyOf(idempotency)],
  );
  return { row: row?.organizationId ? row : null, before: row?.before ?? null };
}

const typeOf = { id: 'uuid', key: 'text' } as const;
type Column = keyof typeof typeOf;
type Reference = Pick<CommandReference, 'organizationId' | 'reference'>;

/** A row of the organization `$1` by its reference `$2`. */
const oneOf = ({ text, alias }: Named, column: Column): string =>
  `${text} and ${alias}.organization_id = $1::uuid and ${alias}.${column} = $2::${typeOf[column]}`;

/** Rows by their references `$1`. The limit keeps each a look-up by index, however many there are. */
const manyOf = ({ text, alias }: Named, column: Column): string => /* sql */ `
  select named.place, found.*
    from jsonb_to_recordset($1::text::jsonb)
           named(place int, "organizationId" uuid, reference ${typeOf[column]})
   cross join lateral (
     ${text} and ${alias}.organization_id = named."organizationId"
         and ${alias}.${column} = named.reference limit 1) found`;

/** Commands that arrive in one tick read their snapshots in one statement, at most so many. */
const readTogether = 16;

const loaders = new WeakMap<Store, Map<string, DataLoader<Reference, unknown>>>();

function loaderOf<R>(store: Store, named: Named, column: Column): DataLoader<Reference, R | null> {
  const ofStore = loaders.get(store) ?? new Map<string, DataLoader<Reference, unknown>>();
  loaders.set(store, ofStore);
  const name = `${named.alias}.${column}`;
  let loader = ofStore.get(name);
  if (!loader) {
    const [one, many] = [oneOf(named, column), manyOf(named, column)];
    loader = new DataLoader<Reference, unknown>(
      async (asked) => {
        const [first] = asked;
        if (asked.length === 1 && first)
          return [await readOne(store, one, [first.organizationId, first.reference])];
        const named = JSON.stringify(asked.map((each, place) => ({ ...each, place })));
        const rows = await store.database.query<{ place: number }>(many, [named]);
        const found = new Map(rows.map((row) => [row.place, row]));
        return asked.map((_, place) => found.get(place) ?? null);
      },
      { cache: false, batchScheduleFn: setImmediate, maxBatchSize: readTogether },
    );
    ofStore.set(name, loader);
  }
  return loader as DataLoader<Reference, R | null>;
}

async function readOne(store: Store, text: string, parameters: string[]): Promise<object | null> {
  const [row] = await store.database.query<object>(text, parameters);
  return row ?? null;
}
