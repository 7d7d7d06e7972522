/** Idempotency keys: the same key and input of a caller answer the same for 24 hours. */
import { createHash } from 'node:crypto';
import { and, eq, type SQL, sql } from 'drizzle-orm';
import { type Caller, type CommonInput, conflict, NotSaved, type Transaction } from './saves.ts';
import { idempotencyKeys } from './schema.ts';

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

/** Which remembered key; `''`, which no caller can give, where the input has none. */
export function ofKey(caller: Caller, request: Request<CommonInput>): SQL | undefined {
  return and(
    eq(idempotencyKeys.organizationId, caller.organizationId),
    eq(idempotencyKeys.caller, caller.callerId),
    eq(idempotencyKeys.field, request.field),
    eq(idempotencyKeys.key, request.input.idempotencyKey ?? ''),
  );
}

/** Seconds for which a key answers the same. */
const REMEMBERED = sql`interval '24 hours'`;

/**
 * Takes the idempotency key, waiting for whoever is taking it now.
 *
 * @returns the id that was answered before, or null where the key is new (or there is none)
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
      caller: caller.callerId,
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
      setWhere: sql`${idempotencyKeys.createdAt} < clock_timestamp() - ${REMEMBERED}`,
    })
    .returning({ key: idempotencyKeys.key });
  if (taken.length > 0) return null;
  const [before] = await tx.select().from(idempotencyKeys).where(ofKey(caller, request));
  return answeredBefore(before, inputHash);
}

/**
 * @throws NotSaved where the key was used with another input
 */
export function answeredBefore(
  before: { inputHash: string; resourceId: string | null } | undefined,
  inputHash: string,
): string | null {
  if (!before) return null;
  if (before.inputHash === inputHash) return before.resourceId;
  throw new NotSaved(
    conflict(
      'IDEMPOTENCY_CONFLICT',
      'This idempotency key was used with another input: take a new one.',
    ),
  );
}

/** Remembers what was saved, for whoever asks with the same key again. */
export async function completeKey(
  tx: Transaction,
  caller: Caller,
  { resourceId, ...request }: Request<CommonInput> & { resourceId: string },
): Promise<void> {
  if (!request.input.idempotencyKey) return;
  await tx.update(idempotencyKeys).set({ resourceId }).where(ofKey(caller, request));
}
