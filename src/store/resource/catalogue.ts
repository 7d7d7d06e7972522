/**
 * Creating, updating and deleting the entries of the catalogue: solutions, repositories and billing
 * subscriptions. Each has a key, a name, a description and a version, and is archived when deleted.
 */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import type { Store } from '../commit/store.ts';
import { type Caller, named, type Transaction } from '../input/caller.ts';
import { checkKey, checkNotCleared, checkTexts } from '../input/checks.ts';
import {
  type CommonInput,
  type EntityKind,
  expectVersion,
  type GuardedInput,
  notFound,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import type {
  billingSubscriptions,
  computeProviders,
  containerRepositories,
  deviceRepositories,
  solutions,
} from '../table/schema.ts';
import type { LoggedResourceKind } from '../table/values.ts';
import { type Logged, save } from './save.ts';
import { checkKeyIsFree } from './usage.ts';

type EntryTable =
  | typeof billingSubscriptions
  | typeof computeProviders
  | typeof containerRepositories
  | typeof deviceRepositories
  | typeof solutions;

type Row<Table extends EntryTable> = Table['$inferSelect'];
type Columns<Table extends EntryTable> = Partial<Table['$inferInsert']>;

/** A kind of entry. */
export interface EntryKind<Table extends EntryTable> {
  readonly table: Table;
  readonly entity: EntityKind;
  /** As what its changes are logged; absent: they are not. */
  readonly logged?: LoggedResourceKind;
}

interface Texts {
  name?: string | null;
  description?: string | null;
}

export interface CreateEntryInput extends CommonInput, Texts {
  key: string;
}

export interface UpdateEntryInput extends GuardedInput, Texts {}

export interface Checking {
  readonly tx: Transaction;
  readonly problems: Problems;
  /** Takes what changes beside the entry. */
  readonly others: Logged[];
}

/** Creates an entry. */
export function createEntry<Table extends EntryTable>(
  store: Store,
  caller: Caller,
  request: EntryKind<Table> & {
    readonly field: string;
    readonly input: CreateEntryInput;
    /** Checks the fields of the kind and returns their columns. */
    columns(check: Checking & { readonly id: string }): Columns<Table> | Promise<Columns<Table>>;
    /** Inserts the rows that belong to the entry. */
    created?(tx: Transaction, id: string): Promise<void>;
  },
): Promise<SaveResult> {
  const { field, input, table } = request;
  return save(store, caller, {
    ...{ field, input },
    async change(tx, problems) {
      checkKey(problems, input.key);
      checkTexts(problems, input);
      const [id, others]: [string, Logged[]] = [randomUUID(), []];
      const columns = await request.columns({ tx, problems, others, id });
      await checkKeyIsFree(tx, problems, { table, caller, key: input.key });
      problems.throwIfAny();
      await tx.insert(table as PgTable).values({
        ...columns,
        id,
        organizationId: caller.organizationId,
        key: input.key,
        name: input.name ?? input.key,
        description: input.description,
      } as never);
      await request.created?.(tx, id);
      const own = loggedAs(request, 'CREATED', { id, version: 1, key: input.key });
      return { id, logged: [...others, ...own] };
    },
  });
}

/** Updates an entry. An absent field keeps what is there; null for the name stands for the key. */
export function updateEntry<Table extends EntryTable, Input extends UpdateEntryInput>(
  store: Store,
  caller: Caller,
  request: EntryKind<Table> & {
    readonly field: string;
    readonly input: Input;
    readonly reference: string;
    /** Fields that cannot be cleared. */
    readonly required?: readonly (keyof Input & string)[];
    /** Checks the fields of the kind and returns their columns. */
    columns(current: Row<Table>, check: Checking): Columns<Table> | Promise<Columns<Table>>;
    /** Throws NotSaved if the entry, as it is used, must not change so. */
    allow?(current: Row<Table>, tx: Transaction): Promise<void>;
    /** Updates the rows that depend on the entry. */
    updated?(tx: Transaction, current: Row<Table>, columns: Columns<Table>): Promise<void>;
  },
): Promise<SaveResult> {
  const { field, input } = request;
  return save(store, caller, {
    ...{ field, input },
    async change(tx, problems) {
      const current = await findEntry(tx, caller, request);
      expectVersion(input, current);
      checkTexts(problems, input);
      checkNotCleared(problems, input, request.required ?? []);
      const others: Logged[] = [];
      const columns = await request.columns(current, { tx, problems, others });
      problems.throwIfAny();
      await request.allow?.(current, tx);
      await setColumns<EntryTable>(tx, request, current, {
        ...columns,
        name: input.name === null ? current.key : input.name,
        description: input.description,
      });
      await request.updated?.(tx, current, columns);
      const after = { id: current.id, version: current.version + 1 };
      return { id: current.id, logged: [...others, ...loggedAs(request, 'UPDATED', after)] };
    },
  });
}

/** Archives an entry that nothing uses. */
export function deleteEntry<Table extends EntryTable>(
  store: Store,
  caller: Caller,
  request: EntryKind<Table> & {
    readonly field: string;
    readonly input: GuardedInput;
    readonly reference: string;
    /** Throws NotSaved if something uses the entry. */
    expectUnused(current: Row<Table>, tx: Transaction): Promise<void>;
  },
): Promise<SaveResult> {
  const { field, input, table } = request;
  return save(store, caller, {
    ...{ field, input },
    async change(tx, problems) {
      const current = await findEntry(tx, caller, request);
      expectVersion(input, current);
      problems.throwIfAny();
      await request.expectUnused(current, tx);
      await tx
        .update(table as PgTable)
        .set({ archivedAt: sql`clock_timestamp()` } as never)
        .where(eq(table.id, current.id));
      return { id: current.id, logged: loggedAs(request, 'ARCHIVED', current) };
    },
  });
}

/** The row of the log, of a kind of entry that has one. An entry has its version for a sequence. */
function loggedAs(
  { logged }: Pick<EntryKind<EntryTable>, 'logged'>,
  kind: Logged['kind'],
  { id, version, key }: { id: string; version: number; key?: string },
): Logged[] {
  if (!logged) return [];
  const details = kind === 'CREATED' ? { details: { key } } : {};
  return [{ kind, resource: logged, id, sequence: version, ...details }];
}

/** The entry that a reference names, locked. */
export async function findEntry<Table extends EntryTable>(
  tx: Transaction,
  caller: Caller,
  { table, entity, reference }: EntryKind<Table> & { reference: string },
): Promise<Row<Table>> {
  const [found] = await tx
    .select()
    .from(table as PgTable)
    .where(named(table, caller, reference))
    .for('update');
  return (found as Row<Table> | undefined) ?? notFound(entity, reference);
}

/** Sets columns of a locked entry, which is another version of it. */
export async function setColumns<Table extends EntryTable>(
  tx: Transaction,
  { table }: Pick<EntryKind<Table>, 'table'>,
  current: Pick<Row<Table>, 'id' | 'version'>,
  columns: Columns<Table>,
): Promise<void> {
  await tx
    .update(table as PgTable)
    .set({
      ...columns,
      version: current.version + 1,
      updatedAt: sql`clock_timestamp()`,
    } as never)
    .where(eq(table.id, current.id));
}
