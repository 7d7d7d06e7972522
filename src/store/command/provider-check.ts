/** Checks of compute providers: who asks which one, what was found, and waiting for that. */
import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import type { ComputeProviderKind } from '../../lifecycle/compute.ts';
import type { Store } from '../commit/store.ts';
import { type Caller, named } from '../input/caller.ts';
import { checkCommon } from '../input/checks.ts';
import { type CommonInput, Problems, type SaveResult } from '../input/save-result.ts';
import { computeProviders, type StoredFailure } from '../table/schema.ts';

/** As often each provider is asked. */
export const checkSeconds = 60;
/** As often one that does not answer. */
const unansweredSeconds = 10;
/** As often what it holds is compared with the store. */
const sweepSeconds = 3_600;
const pollMs = 200;
const waitMs = 20_000;

/** A provider that is to be asked. */
export interface DueCheck {
  readonly id: string;
  readonly kind: ComputeProviderKind;
  readonly version: number;
  /** When the check began, by the clock of the database. */
  readonly at: string;
  /** What the provider holds is to be compared with the store too. */
  readonly sweeps: boolean;
}

/** Takes the checks that are due of providers of these kinds; no other server takes them. */
export function takeDueChecks(
  store: Store,
  kinds: readonly ComputeProviderKind[],
): Promise<DueCheck[]> {
  return store.database.query<DueCheck>(
    `with due as materialized (
       select id, sweep_due_at <= clock_timestamp() as sweeps from compute_providers
        where check_due_at <= clock_timestamp() and archived_at is null
          and $1::text::jsonb ? kind
          for no key update skip locked)
     update compute_providers p
        set check_due_at = clock_timestamp() + make_interval(secs => ${checkSeconds}),
            sweep_due_at = case when due.sweeps
              then clock_timestamp() + make_interval(secs => ${sweepSeconds}) else sweep_due_at end
       from due where p.id = due.id
     returning p.id, p.kind, p.version, due.sweeps, to_jsonb(clock_timestamp()) #>> '{}' as at`,
    [JSON.stringify(kinds)],
  );
}

/** The sweep of a provider failed: its next check tries again. */
export async function repeatSweep(store: Store, providerId: string): Promise<void> {
  await store.database.query(
    'update compute_providers set sweep_due_at = clock_timestamp() where id = $1::uuid',
    [providerId],
  );
}

/** After a start: what each provider holds is compared with the store at its next check, which is due now. */
export async function scheduleSweeps(store: Store): Promise<void> {
  await store.database.query(
    `update compute_providers set sweep_due_at = clock_timestamp(), check_due_at = clock_timestamp()
      where archived_at is null and kind <> 'PROCESS'`,
  );
}

/** Makes the check of a provider due now. */
export async function hastenCheck(store: Store, providerId: string): Promise<void> {
  await store.database.query(
    'update compute_providers set check_due_at = clock_timestamp() where id = $1::uuid',
    [providerId],
  );
}

export type CheckResult =
  | {
      readonly reachable: true;
      readonly version: string;
      readonly platform: string;
      readonly capacity: { readonly cpus: number; readonly memoryBytes: number };
    }
  | { readonly reachable: false; readonly failure: StoredFailure };

/**
 * Records what a check found. Nothing is recorded if the provider was edited meanwhile, or a later check was
 * recorded. Only whether it answers is a change of the provider.
 */
export async function recordProviderCheck(
  store: Store,
  { id, version, at }: DueCheck,
  result: CheckResult,
): Promise<void> {
  const status = { failure: null, ...result, checkedAt: at };
  const [written] = await store.database.query<{ revision: number | null }>(
    `with current as materialized (
       select id, organization_id, version, (status ->> 'reachable')::boolean as reachable
         from compute_providers
        where id = $1::uuid and version = $2::int and archived_at is null
          and coalesce((status ->> 'checkedAt')::timestamptz <= $3::text::timestamptz, true)
          for no key update
     ), recorded as (
       update compute_providers p set status = coalesce(p.status, '{}') || $4::text::jsonb,
              check_due_at = case when $5::boolean then p.check_due_at
                else least(p.check_due_at, clock_timestamp() + interval '${unansweredSeconds} seconds') end
         from current c where p.id = c.id
       returning p.id, p.organization_id, p.version,
                 c.reachable is distinct from (p.status ->> 'reachable')::boolean as changed
     ), logged as (
       insert into log (organization_id, kind, resource_kind, resource_id, sequence, at, actor)
       select organization_id, 'REACHABILITY', 'COMPUTE_PROVIDER', id, version, clock_timestamp(),
              '{"kind":"HEALTH_CHECK","name":"health check"}'
         from recorded where changed
       returning revision)
     select revision from logged`,
    [id, version, at, JSON.stringify(status), result.reachable],
  );
  if (written) store.committed({ revision: Number(written.revision), work: false });
}

export interface CheckComputeProviderInput extends CommonInput {
  /** Id or key. */
  computeProvider: string;
}

/**
 * Has a provider asked now, and waits until that is recorded, 20 s at most or until nobody waits for the answer.
 */
export async function checkProvider(
  store: Store,
  caller: Caller,
  { input, signal }: { input: CheckComputeProviderInput; signal: AbortSignal | null },
): Promise<{ id: string; isChecked: boolean } | SaveResult> {
  const problems = new Problems();
  checkCommon(problems, input);
  if (problems.any) return problems.result();
  const reference = input.computeProvider;
  const [asked] = await store.database.drizzle
    .update(computeProviders)
    .set({ checkDueAt: sql`clock_timestamp()` })
    .where(named(computeProviders, caller, reference))
    .returning({
      id: computeProviders.id,
      at: sql<string>`to_jsonb(clock_timestamp()) #>> '{}'`,
    });
  if (!asked) return { outcome: 'NOT_FOUND', kind: 'COMPUTE_PROVIDER', reference };
  const endAt = performance.now() + waitMs;
  while (performance.now() < endAt && !signal?.aborted) {
    const [row] = await store.database.query<{ done: boolean }>(
      `select (status ->> 'checkedAt')::timestamptz >= $2::text::timestamptz as done
         from compute_providers where id = $1::uuid`,
      [asked.id, asked.at],
    );
    if (row?.done) return { id: asked.id, isChecked: true };
    await delay(pollMs);
  }
  return { id: asked.id, isChecked: false };
}
