/** The one transaction of a save: idempotency key, checks, rows, and last the log, or nothing. */
import { DrizzleQueryError, sql } from 'drizzle-orm';
import { completeKey, type Request, takeKey } from '../command/idempotency.ts';
import type { Store } from '../commit/store.ts';
import { isConnectionError, sqlState, violatedConstraint } from '../database/sql-error.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import { checkCommon } from '../input/checks.ts';
import { type CommonInput, NotSaved, Problems, type SaveResult } from '../input/save-result.ts';
import { log } from '../table/schema.ts';
import type { LoggedResourceKind } from '../table/values.ts';

/** A row of the log that a save appends. */
export interface Logged {
  readonly kind: 'CREATED' | 'UPDATED' | 'ARCHIVED' | 'OPERATION';
  readonly resource: LoggedResourceKind;
  readonly id: string;
  readonly sequence: number;
  readonly operationId?: string;
  readonly details?: Record<string, unknown>;
}

/** The row of a new resource; with its key, so that who waits for that knows it by the row alone. */
export function created(resource: Logged['resource'], id: string, key: string): Logged {
  return { kind: 'CREATED', resource, id, sequence: 0, details: { key } };
}

export interface Saved {
  readonly id: string;
  /** Of a host before that of an instance. */
  readonly logged?: readonly Logged[];
  /** It made work that is due. */
  readonly work?: true;
}

/** Attempts before a save that keeps losing a race is given up. */
const MAX_SAVE_ATTEMPTS = 5;

/**
 * Runs one save in a transaction of its own. `change` checks first, into `problems`, then calls
 * `problems.throwIfAny()`, then writes; the rows of the log come last.
 */
export async function save<Input extends CommonInput>(
  store: Store,
  caller: Caller,
  request: Request<Input> & { change(tx: Transaction, problems: Problems): Promise<Saved> },
): Promise<SaveResult> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { id, revision, work } = await store.database.drizzle.transaction(async (tx) => {
        const problems = new Problems();
        checkCommon(problems, request.input);
        const before = problems.any ? null : await takeKey(tx, caller, request);
        if (before) return { id: before, revision: null, work: false };
        const saved = await request.change(tx, problems);
        problems.throwIfAny();
        await completeKey(tx, caller, { ...request, resourceId: saved.id });
        const reason = request.input.reason ?? undefined;
        return {
          id: saved.id,
          revision: await append(tx, caller, { logged: saved.logged ?? [], reason }),
          work: saved.work ?? false,
        };
      });
      if (revision !== null || work) store.committed({ revision, work });
      return { outcome: 'SAVED', id };
    } catch (error) {
      if (error instanceof NotSaved) return error.result;
      if (attempt === MAX_SAVE_ATTEMPTS || !isLostRace(error)) throw withoutInput(error);
    }
  }
}

/** Drizzle puts the parameters into its message, Postgres the row into its detail: secrets in a log. */
function withoutInput(error: unknown): unknown {
  if (!(error instanceof DrizzleQueryError)) return error;
  const { cause } = error;
  if (cause && isConnectionError(cause)) return cause;
  const bare = new Error(`The database refused a save: ${cause?.message ?? 'no reason given'}`);
  return Object.assign(bare, { code: sqlState(error), constraint: violatedConstraint(error) });
}

/** Did someone save the same at the same time? Then the checks of another attempt say what is wrong. */
function isLostRace(error: unknown): boolean {
  const state = sqlState(error);
  if (state === '23505') return racedConstraints.has(violatedConstraint(error) ?? '');
  return state === '40001' || state === '40P01';
}

const racedConstraints: ReadonlySet<string> = new Set([
  'solutions_key',
  'container_repositories_key',
  'container_tags_tag',
  'device_repositories_key',
  'billing_subscriptions_key',
  'compute_providers_key',
  'compute_providers_default',
  'hosts_key',
  'hosts_dns_name',
  'instances_key',
  'instances_device_repository',
]);

/** Appends to the log, all with one revision, and says which. */
export async function append(
  tx: Transaction,
  caller: Pick<Caller, 'organizationId' | 'actor'>,
  { logged, reason }: { logged: readonly Logged[]; reason?: string | undefined },
): Promise<number | null> {
  if (logged.length === 0) return null;
  const rows = await tx
    .insert(log)
    .values(
      logged.map(({ kind, resource, id, sequence, operationId, details }, place) => ({
        // Drawn by the INSERT itself, by its first row: the reader of the log relies on that.
        revision: place === 0 ? sql`nextval('log_revisions')` : sql`currval('log_revisions')`,
        place,
        organizationId: caller.organizationId,
        kind,
        resourceKind: resource,
        resourceId: id,
        sequence,
        operationId,
        at: sql`clock_timestamp()`,
        actor: { ...caller.actor },
        details: { ...details, ...(reason === undefined ? {} : { reason }) },
      })),
    )
    .returning({ revision: log.revision });
  return rows[0]?.revision ?? null;
}
