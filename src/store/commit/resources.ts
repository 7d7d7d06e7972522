/**
 * The parts of the commit statement that update hosts, instances and runs after they are locked.
 */
import type { HostUpdate, InstanceUpdate } from '../../lifecycle/change.ts';
import { hosts, instances } from '../table/schema.ts';
import { Returned } from './returned.ts';
import { Columns, type Row, Rows, type Sql, sql } from './sql.ts';

export const returnedHost = new Returned(hosts, 'r');
export const returnedInstance = new Returned(instances, 'r');

type Update = HostUpdate | InstanceUpdate;

/** A column that an update may set. It is left out of the statement when no update sets it. */
interface Setting<U> {
  readonly is: (update: U) => boolean;
  readonly columns: Columns;
  readonly values: (update: U) => Row;
  /** The assignment; `t` is the row of the table, `v` the row of values. */
  readonly set: Sql;
}

const guard = sql`guard = t.guard + 1`;
const always = new Columns({ id: 'uuid', sequence: 'int', operation_id: 'uuid' });

const transition = (stateType: string): Setting<Update> => ({
  is: ({ to }) => to !== null,
  columns: new Columns({ next_state: stateType }),
  values: ({ to }) => ({ next_state: to }),
  set: sql`
    state = coalesce(v.next_state, t.state),
    sequence = v.sequence,
    state_since = case when v.next_state is null then t.state_since else ok.at end,
    last_transition = case when v.next_state is null then t.last_transition else
      jsonb_build_object('from', t.state, 'to', v.next_state, 'at', ok.at,
                         'operationId', v.operation_id) end`,
});

const failing: Setting<Update> = {
  is: ({ failure }) => failure !== undefined,
  columns: new Columns({ failure: 'jsonb', sets_failure: 'boolean' }),
  values: ({ failure }) => ({ failure, sets_failure: failure !== undefined }),
  set: sql`failure = case when not v.sets_failure then t.failure else v.failure ||
    jsonb_build_object('at', ok.at, 'operationId', v.operation_id, 'sequence', v.sequence) end`,
};

const archival: Setting<Update> = {
  is: ({ archive }) => archive === true,
  columns: new Columns({ archive: 'boolean' }),
  values: ({ archive }) => ({ archive: archive === true }),
  set: sql`archived_at = case when v.archive then ok.at else t.archived_at end`,
};

const instanceSettings: readonly Setting<InstanceUpdate>[] = [
  transition('instance_state'),
  failing,
  archival,
  {
    is: ({ desired }) => desired !== undefined,
    columns: new Columns({ desired: 'desired_instance_state' }),
    values: ({ desired }) => ({ desired }),
    set: sql`desired = coalesce(v.desired, t.desired)`,
  },
  {
    is: ({ reachability }) => reachability !== undefined,
    columns: new Columns({ reachability: 'reachability', because: 'unreachable_because' }),
    values: ({ reachability }) => ({
      reachability: reachability?.value,
      because: reachability?.because,
    }),
    set: sql`
      reachability = coalesce(v.reachability, t.reachability),
      unreachable_because = case when v.reachability is null then t.unreachable_because
        else v.because end`,
  },
  {
    is: ({ beginRun, runtimeGone }) => beginRun !== undefined || runtimeGone === true,
    columns: new Columns({ run_id: 'uuid', gone: 'boolean' }),
    values: ({ beginRun, runtimeGone }) => ({ run_id: beginRun, gone: runtimeGone === true }),
    set: sql`
      run_id = coalesce(v.run_id, t.run_id),
      runtime_gone = case when v.run_id is not null then false else v.gone or t.runtime_gone end,
      counters = case when v.run_id is null then t.counters end`,
  },
  {
    is: ({ beginRun, image }) => beginRun !== undefined || image !== undefined,
    columns: new Columns({ tag: 'text', sets_tag: 'boolean', begins: 'boolean' }),
    values: ({ beginRun, image }) => ({
      ...{ tag: image?.tag, sets_tag: image != null, begins: beginRun !== undefined },
    }),
    set: sql`
      container_tag = case when v.sets_tag then coalesce(v.tag, t.container_tag)
        else t.container_tag end,
      asks_tag = case when v.begins then false else v.sets_tag or t.asks_tag end,
      version = case when v.sets_tag then t.version + 1 else t.version end,
      updated_at = case when v.sets_tag then ok.at else t.updated_at end`,
  },
  {
    is: ({ endpoints }) => endpoints !== undefined,
    columns: new Columns({ endpoints: 'jsonb', sets_endpoints: 'boolean' }),
    values: ({ endpoints }) => ({ endpoints, sets_endpoints: endpoints !== undefined }),
    set: sql`endpoints = case when v.sets_endpoints then v.endpoints else t.endpoints end`,
  },
];

/** A change updates at most one host, so these settings need no condition per row. */
const hostSettings: readonly Setting<HostUpdate>[] = [
  transition('host_state'),
  failing,
  archival,
  {
    is: ({ removing }) => removing !== undefined,
    columns: new Columns({ removing: 'boolean' }),
    values: ({ removing }) => ({ removing }),
    set: sql`removing = v.removing`,
  },
  {
    is: ({ failedStage }) => failedStage !== undefined,
    columns: new Columns({ failed_stage: 'host_state' }),
    values: ({ failedStage }) => ({ failed_stage: failedStage }),
    set: sql`failed_stage = v.failed_stage`,
  },
  {
    is: ({ handle }) => handle !== undefined,
    columns: new Columns({ handle: 'jsonb' }),
    values: ({ handle }) => ({ handle }),
    set: sql`handle = v.handle`,
  },
  {
    is: ({ address }) => address !== undefined,
    columns: new Columns({ address: 'text' }),
    values: ({ address }) => ({ address }),
    set: sql`address = v.address`,
  },
  {
    is: ({ imageDigest }) => imageDigest !== undefined,
    columns: new Columns({ image_digest: 'text' }),
    values: ({ imageDigest }) => ({ image_digest: imageDigest }),
    set: sql`image_digest = v.image_digest`,
  },
];

/** The part `changed_host`. `returning`: it returns all columns. */
export function hostPart(update: HostUpdate, returning: boolean): Sql {
  const { set, rows } = assignments([update], hostSettings);
  return sql`changed_host as (
    update hosts t set ${set} from ok, ${rows} where t.id = v.id
    returning ${returning ? returnedHost.columns : sql`t.id`})`;
}

/** The part `changed_instances`, which runs after `after`. `returning`: it returns all columns. */
export function instancesPart(
  updates: readonly InstanceUpdate[],
  after: Sql,
  returning: boolean,
): Sql {
  const { set, rows } = assignments(updates, instanceSettings);
  return sql`changed_instances as (
    update instances t set ${set} from ok, ${rows}
     where t.id = v.id and ${after}
    returning ${returning ? returnedInstance.columns : sql`t.id`})`;
}

const guarded = new Columns({ guard: 'bigint' });

/**
 * The part `changed_instances` for an instance that was not locked before; it has no row if the
 * instance has changed since it was read.
 */
export function loneInstancePart(update: InstanceUpdate, returning: boolean): Sql {
  const { set, rows } = assignments([update], instanceSettings);
  const read = rows.rows.map((row) => ({ ...row, guard: update.guard }));
  return sql`changed_instances as (
    update instances t set ${set} from locked ok, ${new Rows(read, ...rows.columns, guarded)}
     where t.id = v.id and t.guard = v.guard and t.archived_at is null
    returning ${returning ? returnedInstance.columns : sql`t.id`})`;
}

function assignments<U extends Update>(
  updates: readonly U[],
  settings: readonly Setting<U>[],
): { set: Sql[]; rows: Rows } {
  const used = settings.filter(({ is }) => updates.some(is));
  const rows = updates.map((update) => {
    const sequence = update.sequence + (update.to ? 1 : 0);
    const row = { id: update.id, sequence, operation_id: update.operationId };
    for (const { values } of used) Object.assign(row, values(update));
    return row;
  });
  return {
    set: [guard, ...used.map(({ set }) => set)],
    rows: new Rows(rows, always, ...used.map(({ columns }) => columns)),
  };
}

const ids = new Columns({ id: 'uuid' });
const begun = new Columns({
  ...{ id: 'uuid', run_id: 'uuid', sets_image: 'boolean', tag: 'text', digest: 'text' },
});

/** Ends the run of a runtime that ended or that a new run replaces, and begins the new run. */
export function runParts(updates: readonly InstanceUpdate[]): Sql[] {
  const ends = updates.filter(({ runtimeGone, beginRun }) => runtimeGone || beginRun);
  if (ends.length === 0) return [];
  const ended = ends.map(({ id }) => ({ id }));
  const parts = [
    sql`ended_runs as (
      update runs t set ended_at = ok.at
        from ok, ${new Rows(ended, ids)} join instances i on i.id = v.id
       where t.id = i.run_id and t.ended_at is null)`,
  ];
  const begins = ends.flatMap(({ id, beginRun, image }) =>
    beginRun
      ? [
          {
            id,
            run_id: beginRun,
            sets_image: image != null,
            tag: image?.tag,
            digest: image?.digest,
          },
        ]
      : [],
  );
  if (begins.length > 0) {
    parts.push(sql`begun_runs as (
      insert into runs (id, organization_id, instance_id, device_repository_id,
        solution_version_id, image, image_tag, image_digest, started_at)
      select v.run_id, i.organization_id, i.id, i.device_repository_id,
             coalesce(i.solution_version_id, (
               select s.id from solution_versions s where s.solution_id = i.solution_id
                order by s.ordinal desc limit 1)),
             r.image, asked.tag,
             case when v.sets_image then v.digest
                  when not i.asks_tag and l.image = r.image and l.image_tag = asked.tag
                  then l.image_digest end, ok.at
        from ok cross join ${new Rows(begins, begun)} join instances i on i.id = v.id
        left join container_repositories r on r.id = i.container_repository_id
       cross join lateral (
         select coalesce(v.tag, i.container_tag, r.default_tag) as tag) asked
        left join runs l on l.id = i.run_id)`);
  }
  return parts;
}
