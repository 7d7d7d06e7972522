/** The runtime's side: its commands, its reports, and the keys of runs. */
import type { Actor, RuntimeCommandKind } from '../../lifecycle/change.ts';
import { type Refusal, refuse } from '../../lifecycle/refusal.ts';
import type { Store } from '../commit/store.ts';
import { openSettings, type StoredSettings } from '../secret/settings.ts';
import type { StoredEndpoint } from '../table/schema.ts';
import type { LogLevel } from '../table/values.ts';
import { recordInstanceObservation } from './observations.ts';

interface RuntimeCommand {
  readonly id: string;
  readonly ordinal: number;
  readonly runId: string;
  readonly createdAt: Date;
}

/** As `schema/runtime.graphql` says; the solution and the settings are joined in. */
interface LoadSolution extends StoredSettings {
  readonly solution: object;
}

export type RuntimeCommandRow = RuntimeCommand &
  (
    | { readonly kind: 'LOAD_SOLUTION'; readonly payload: LoadSolution }
    | {
        readonly kind: Exclude<RuntimeCommandKind, 'LOAD_SOLUTION'>;
        readonly payload: Record<string, unknown>;
      }
  );

export type ReportResult =
  | { readonly outcome: 'ACCEPTED'; readonly instanceId: string }
  | { readonly outcome: 'REFUSED'; readonly refusal: Refusal }
  | { readonly outcome: 'INVALID'; readonly issues: { path: string; message: string }[] }
  | { readonly outcome: 'NOT_FOUND'; readonly kind: string; readonly reference: string };

const runtimeActor = (runId: string): Actor => ({ kind: 'RUNTIME', name: `run ${runId}` });

const OPEN_COMMANDS = /* sql */ `
select c.id, c.ordinal, c.kind, c.run_id as "runId", c.created_at as "createdAt",
       c.instance_id as "instanceId",
       case when c.kind = 'LOAD_SOLUTION' then jsonb_build_object(
         'solution', jsonb_build_object('key', s.key, 'version', v.version, 'definition', v.definition),
         'settings', i.settings, 'secretSettings', i.secret_settings, 'workingStorage', coalesce(i.working_storage, 'LOCAL'),
         'deviceStorage', d.storage) else c.payload end as payload
  from runtime_commands c
  join instances i on i.id = c.instance_id and i.run_id = c.run_id
  join runs r on r.id = c.run_id and r.ended_at is null
  join solutions s on s.id = i.solution_id
  join device_repositories d on d.id = i.device_repository_id
  left join solution_versions v on v.id = r.solution_version_id
 where c.run_id = $1::uuid and c.completed_at is null
 order by c.ordinal`;

/**
 * The open commands of a run, oldest first, with secret settings in clear; none when the run is over.
 *
 * @throws SecretError where a secret does not open
 */
export async function openRuntimeCommands(
  store: Store,
  runId: string,
): Promise<RuntimeCommandRow[]> {
  const rows = await store.database.query<RuntimeCommandRow & { instanceId: string }>(
    OPEN_COMMANDS,
    [runId],
  );
  return rows.map(({ instanceId, ...command }) => {
    if (command.kind !== 'LOAD_SOLUTION') return command;
    const { payload } = command;
    const owner = { instanceId, keys: store.secretKeys };
    return { ...command, payload: { ...payload, settings: openSettings(payload, owner) } };
  });
}

/** The answer to a report of a run that is over. */
export const stale = (): ReportResult => ({
  outcome: 'REFUSED',
  refusal: refuse('STALE_REPORT', 'This run is over; another has taken its place. Exit.'),
});

/** A run that may still report, with its instance; null when it is over. */
export async function liveRun(store: Store, runId: string): Promise<{ instanceId: string } | null> {
  const [row] = await store.database.query<{ instanceId: string }>(
    `select i.id as "instanceId" from runs r join instances i on i.id = r.instance_id
      where r.id = $1::uuid and i.run_id = r.id and r.ended_at is null`,
    [runId],
  );
  return row ?? null;
}

/** Ends one command of a run; a repeat answers the same and changes nothing. */
export async function completeRuntimeCommand(
  store: Store,
  completion: {
    runId: string;
    commandId: string;
    done: boolean;
    message: string | null;
    endpoints: readonly StoredEndpoint[] | null;
  },
): Promise<ReportResult> {
  const { runId, commandId, done } = completion;
  const [asked] = await store.database.query<{
    kind: RuntimeCommandKind;
    instanceId: string;
    completed: boolean;
    live: boolean;
  }>(
    `select c.kind, c.instance_id as "instanceId", c.completed_at is not null as completed,
            i.run_id = c.run_id and r.ended_at is null as live
       from runtime_commands c
       join runs r on r.id = c.run_id
       join instances i on i.id = c.instance_id
      where c.id::text = $1 and c.run_id = $2::uuid`,
    [commandId, runId],
  );
  if (!asked) return { outcome: 'NOT_FOUND', kind: 'RuntimeCommand', reference: commandId };
  const accepted = { outcome: 'ACCEPTED', instanceId: asked.instanceId } as const;
  if (asked.completed) return accepted;
  if (!asked.live) return stale();
  const outcome = done ? 'DONE' : 'FAILED';
  const decided = await recordInstanceObservation(
    store,
    asked.instanceId,
    {
      kind: 'COMMAND_COMPLETED',
      runId,
      command: asked.kind,
      done,
      message: completion.message,
      endpoints: completion.endpoints,
    },
    {
      actor: runtimeActor(runId),
      completes: { id: commandId, outcome, message: completion.message },
      isVoid: () => isCompleted(store, commandId),
    },
  );
  if (decided.outcome === 'NOTHING') {
    // Nothing waits for it any more (a forced stop, say): keep that it is done.
    await store.database.query(
      `update runtime_commands set completed_at = clock_timestamp(), outcome = $2, message = $3
        where id = $1::uuid and completed_at is null`,
      [commandId, outcome, completion.message],
    );
  }
  return accepted;
}

async function isCompleted(store: Store, commandId: string): Promise<boolean> {
  const rows = await store.database.query(
    'select 1 from runtime_commands where id = $1::uuid and completed_at is not null',
    [commandId],
  );
  return rows.length > 0;
}

/** A runtime's report about itself. */
export async function reportRuntime(
  store: Store,
  report: {
    runId: string;
    report: 'ONLINE' | 'HEARTBEAT' | 'FAULT';
    message: string | null;
    counters: Record<string, number> | null;
  },
): Promise<ReportResult> {
  const { runId } = report;
  const [seen] = await store.database.query<{ instanceId: string; reachability: string }>(
    `update instances i set last_seen_at = clock_timestamp(),
            counters = coalesce($2::text::jsonb, i.counters)
       from runs r
      where r.id = $1::uuid and r.ended_at is null and i.id = r.instance_id and i.run_id = r.id
     returning i.id as "instanceId", i.reachability`,
    [runId, report.counters ? JSON.stringify(report.counters) : null],
  );
  if (!seen) return stale();
  const { instanceId } = seen;
  const actor = runtimeActor(runId);
  switch (report.report) {
    case 'ONLINE':
      await recordInstanceObservation(
        store,
        instanceId,
        { kind: 'RUNTIME_ONLINE', runId },
        { actor },
      );
      break;
    case 'HEARTBEAT':
      if (seen.reachability === 'UNKNOWN') {
        await recordInstanceObservation(
          store,
          instanceId,
          { kind: 'RUNTIME_SEEN', runId },
          { actor },
        );
      }
      break;
    case 'FAULT':
      await recordInstanceObservation(
        store,
        instanceId,
        {
          kind: 'RUNTIME_FAULT',
          runId,
          message: report.message ?? 'The runtime reported a fault without saying which.',
        },
        { actor },
      );
      break;
    default:
      report.report satisfies never;
  }
  return { outcome: 'ACCEPTED', instanceId };
}

/** Log lines that one instance keeps; the oldest go first. */
const maxLogLines = 10_000;

export interface ReportedLogLine {
  /** Of the line within its run; null from a runtime that does not number its lines. */
  readonly number: number | null;
  readonly at: Date;
  readonly level: LogLevel;
  readonly text: string;
}

/**
 * The row of the run is locked until the lines are committed, and read as the batch before left it.
 * So ids follow the order of runs, and of numbers within each; they become visible in that order.
 */
const KEEP_LOG_LINES = /* sql */ `
with run as materialized (
  select r.id, r.organization_id, r.instance_id, r.last_log_number
    from runs r
   where r.id = $1::uuid and r.ended_at is null
     and ($3::text is null or exists (
       select from log_watches w where w.instance_id = r.instance_id and w.id::text = $3))
     for no key update of r
), lines as materialized (
  select run.*, line, coalesce((line->>'number')::bigint, run.last_log_number + place) as number
    from run, jsonb_array_elements($2::text::jsonb) with ordinality as l(line, place)
), advanced as (
  update runs r set last_log_number = lines.number
    from (select id, max(number) as number from lines group by id) lines
   where r.id = lines.id and lines.number > r.last_log_number
)
insert into runtime_logs (organization_id, instance_id, run_id, number, at, level, text, is_copy)
select organization_id, instance_id, id, number, (line->>'at')::timestamptz,
       (line->>'level')::log_level, line->>'text', $3::text is not null
  from lines where number > last_log_number order by number`;

/**
 * Keeps lines of a runtime's log, each once: a batch may come again, or late. Lines for a watch are
 * kept as long as it lasts; those for another one are ignored.
 */
export async function reportLogs(
  store: Store,
  report: { runId: string; lines: readonly ReportedLogLine[]; watch: string | null },
): Promise<ReportResult> {
  const run = await liveRun(store, report.runId);
  if (!run) return stale();
  const { runId, lines, watch } = report;
  await store.database.query(KEEP_LOG_LINES, [runId, JSON.stringify(lines), watch]);
  await store.database.query(
    `delete from runtime_logs where instance_id = $1::uuid and id <= (
       select id from runtime_logs where instance_id = $1::uuid
        order by id desc offset $2::int limit 1)`,
    [run.instanceId, maxLogLines],
  );
  return { outcome: 'ACCEPTED', instanceId: run.instanceId };
}
