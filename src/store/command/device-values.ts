/** What runtimes report of their devices: of each field the last value is kept. */
import type { Store } from '../commit/store.ts';
import { liveRun, type ReportResult, stale } from './runtime-reports.ts';

export interface ReportedDeviceValue {
  readonly device: string;
  readonly field: string;
  readonly value: unknown;
  /** By the clock of the runtime's host. */
  readonly at: Date;
  /** Its place among the values of the run; null: after all that came before. */
  readonly number: number | null;
}

/**
 * The last value is that of the latest run, and in it that of the greatest number: a report may come
 * again, late, or after the run that it belongs to. Rows are locked in the order of their keys.
 */
const KEEP_VALUES = /* sql */ `
insert into device_values as kept
       (device_repository_id, device, field, value, at, run_ordinal, number)
select distinct on (v->>'device', v->>'field')
       $1::uuid, v->>'device', v->>'field', v->'value', (v->>'at')::timestamptz,
       $2::bigint, coalesce((v->>'number')::bigint, 0)
  from jsonb_array_elements($3::text::jsonb) with ordinality as l(v, place)
 order by v->>'device', v->>'field', coalesce((v->>'number')::bigint, 0) desc, place desc
    on conflict (device_repository_id, device, field) do update
   set value = excluded.value, at = excluded.at, received_at = clock_timestamp(),
       run_ordinal = excluded.run_ordinal, number = excluded.number
 where (kept.run_ordinal, kept.number) < (excluded.run_ordinal, excluded.number)
    or (kept.run_ordinal = excluded.run_ordinal and excluded.number = 0)`;

/** The run in which values were taken, where the instance has had it. */
const RUN_OF_VALUES = /* sql */ `
select r.ordinal::text, d.id as "repositoryId", d.archived_at is not null as "isDeleted"
  from runs r
  join instances i on i.id = r.instance_id
  join device_repositories d on d.id = coalesce(r.device_repository_id, i.device_repository_id)
 where r.id::text = $1 and r.instance_id = $2::uuid`;

/** Keeps the last values of devices. `takenIn`: an earlier run of the instance, or null. */
export async function reportDeviceValues(
  store: Store,
  report: {
    readonly runId: string;
    readonly takenIn: string | null;
    readonly values: readonly ReportedDeviceValue[];
  },
): Promise<ReportResult> {
  const live = await liveRun(store, report.runId);
  if (!live) return stale();
  const [run] = await store.database.query<{
    ordinal: string;
    repositoryId: string;
    isDeleted: boolean;
  }>(RUN_OF_VALUES, [report.takenIn ?? report.runId, live.instanceId]);
  if (!run) return invalid('The instance has had no such run.');
  if (run.isDeleted) return invalid('The device repository of that run was deleted.');
  await store.database.query(KEEP_VALUES, [
    run.repositoryId,
    run.ordinal,
    JSON.stringify(report.values),
  ]);
  return { outcome: 'ACCEPTED', instanceId: live.instanceId };
}

const invalid = (message: string): ReportResult => ({
  outcome: 'INVALID',
  issues: [{ path: 'takenIn', message }],
});
