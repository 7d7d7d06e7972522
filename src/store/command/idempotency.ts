/** Idempotency keys: the same key and input of an access key return the stored result for 24 hours. */
import { createHash } from 'node:crypto';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import type { Idempotency } from '../commit/options.ts';
import type { Database } from '../database/database.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import { type CommonInput, NotSaved } from '../input/save-result.ts';
import { idempotencyKeys } from '../table/schema.ts';

export interface Request<Input extends CommonInput> {
  /** Name of the mutation: idempotency keys belong to it. */
  readonly field: string;
  readonly input: Input;
}

/** Hash of an input, whatever the order of its fields. */
export function hashInput(input: CommonInput): string {
  const { idempotencyKey: _, ...rest } = input;
  return createHash('sha256').update(canonical(rest)).digest('hex');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1));
  });
}

/** The row of a key; `''`, which no caller can send, where the input has none. */
function ofKey(caller: Caller, request: Request<CommonInput>): SQL | undefined {
  return and(
    eq(idempotencyKeys.organizationId, caller.organizationId),
    eq(idempotencyKeys.caller, caller.accessKeyId),
    eq(idempotencyKeys.field, request.field),
    eq(idempotencyKeys.key, request.input.idempotencyKey ?? ''),
  );
}

const kept = `interval '24 hours'`;

/** The stored result of a key. */
export interface StoredResult {
  readonly inputHash: string;
  /** Null where there is none, as for what was saved or deleted. */
  readonly operationId: string | null;
  readonly resourceId: string | null;
  readonly expired: boolean;
}

/**
 * A scalar query of the stored result of a key of the organization `$1`, as JSON. The other
 * parameters begin at `$first`: `keyOf`.
 */
export const storedResultSql = (first: number): string => /* sql */ `
  select jsonb_build_object('inputHash', k.input_hash, 'operationId', k.operation_id,
      'resourceId', coalesce(o.instance_id, o.host_id, k.resource_id),
      'expired', k.created_at < clock_timestamp() - ${kept})
    from idempotency_keys k left join operations o on o.id = k.operation_id
   where k.organization_id = $1::uuid and k.caller = $${first}::text
     and k.field = $${first + 1}::text and k.key = $${first + 2}::text`;

/** The parameters that say which key. */
export const keyOf = ({ caller, field, key }: Idempotency): string[] => [caller, field, key];

/** The stored result of a key; null if the key is new. */
export async function findStoredResult(
  database: Database,
  organizationId: string,
  idempotency: Idempotency,
): Promise<StoredResult | null> {
  const [row] = await database.query<{ before: StoredResult | null }>(
    `select (${storedResultSql(2)}) as before`,
    [organizationId, ...keyOf(idempotency)],
  );
  return row?.before ?? null;
}

/** Deletes the key if it has expired. */
export async function deleteExpiredKey(
  database: Database,
  organizationId: string,
  idempotency: Idempotency,
): Promise<void> {
  await database.query(
    `delete from idempotency_keys
      where organization_id = $1::uuid and caller = $2 and field = $3 and key = $4
        and created_at < clock_timestamp() - ${kept}`,
    [organizationId, ...keyOf(idempotency)],
  );
}

/** Another input came with the key. */
export const keyUsed = {
  outcome: 'CONFLICT',
  code: 'IDEMPOTENCY_CONFLICT',
  message:
    'This idempotencyKey was used with another input in the last 24 hours. Use a new key for another input.',
  path: 'idempotencyKey',
  currentVersion: null,
  currentSequence: null,
} as const;

/**
 * Takes the idempotency key, waiting for whoever is taking it now.
 *
 * @returns the id that the first request returned, or null where the key is new (or there is none)
 */
export async function takeKey(
  tx: Transaction,
  caller: Caller,
  request: Request<CommonInput>,
): Promise<string | null> {
  const { field, input } = request;
  if (!input.idempotencyKey) return null;
  const inputHash = hashInput(input);
  const taken = await tx
    .insert(idempotencyKeys)
    .values({
      organizationId: caller.organizationId,
      caller: caller.accessKeyId,
      field,
      key: input.idempotencyKey,
      inputHash,
    })
    .onConflictDoUpdate({
      target: [
        idempotencyKeys.organizationId,
        idempotencyKeys.caller,
        idempotencyKeys.field,
        idempotencyKeys.key,
      ],
      set: { inputHash, operationId: null, resourceId: null, createdAt: sql`clock_timestamp()` },
      setWhere: sql`${idempotencyKeys.createdAt} < clock_timestamp() - ${sql.raw(kept)}`,
    })
    .returning({ key: idempotencyKeys.key });
  if (taken.length > 0) return null;
  const [before] = await tx.select().from(idempotencyKeys).where(ofKey(caller, request));
  return resultOf(before, inputHash);
}

/**
 * @throws NotSaved where the key was used with another input
 */
function resultOf(
  before: { inputHash: string; resourceId: string | null } | undefined,
  inputHash: string,
): string | null {
  if (!before) return null;
  if (before.inputHash === inputHash) return before.resourceId;
  throw new NotSaved(keyUsed);
}

/** Stores the id of what was saved, as the result of its key. */
export async function completeKey(
  tx: Transaction,
  caller: Caller,
  { resourceId, ...request }: Request<CommonInput> & { resourceId: string },
): Promise<void> {
  if (!request.input.idempotencyKey) return;
  await tx.update(idempotencyKeys).set({ resourceId }).where(ofKey(caller, request));
}
