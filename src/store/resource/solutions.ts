/** Solutions, their drafts and their published versions. */
import { randomUUID } from 'node:crypto';
import { and, desc, eq } from 'drizzle-orm';
import type { Store } from '../commit/store.ts';
import type { Caller, Transaction } from '../input/caller.ts';
import { checkDefinition } from '../input/checks.ts';
import {
  expectVersion,
  type GuardedInput,
  type Problems,
  type SaveResult,
} from '../input/save-result.ts';
import { instances, solutions, solutionVersions } from '../table/schema.ts';
import {
  type CreateEntryInput,
  createEntry,
  deleteEntry,
  findEntry,
  setColumns,
  type UpdateEntryInput,
  updateEntry,
} from './catalogue.ts';
import { save } from './save.ts';
import { markSecrets } from './secret-settings.ts';
import { expectNoInstances } from './usage.ts';

export interface CreateSolutionInput extends CreateEntryInput {
  definition?: unknown;
}

export interface UpdateSolutionInput extends UpdateEntryInput {
  /** Id or key. */
  solution: string;
  definition?: unknown;
}

export interface PublishSolutionVersionInput extends GuardedInput {
  /** Id or key. */
  solution: string;
  /** `1.1`; null: the next minor one. */
  version?: string | null;
  /** Null: the draft. */
  definition?: unknown;
}

export interface DeleteSolutionInput extends GuardedInput {
  /** Id or key. */
  solution: string;
}

const kind = { table: solutions, entity: 'SOLUTION' } as const;

export function createSolution(
  store: Store,
  caller: Caller,
  input: CreateSolutionInput,
): Promise<SaveResult> {
  return createEntry(store, caller, {
    ...kind,
    field: 'createSolution',
    input,
    columns: ({ problems }) => ({ definition: draft(problems, input.definition) ?? null }),
  });
}

export function updateSolution(
  store: Store,
  caller: Caller,
  input: UpdateSolutionInput,
): Promise<SaveResult> {
  return updateEntry(store, caller, {
    ...kind,
    field: 'updateSolution',
    input,
    reference: input.solution,
    columns: (_current, { problems }) => ({ definition: draft(problems, input.definition) }),
    updated: (tx, { id }, { definition }) =>
      markSecrets(tx, { solutionId: id, keys: store.secretKeys }, definition),
  });
}

/** The draft as it is stored; null clears it, undefined keeps what is there. */
function draft(problems: Problems, definition: unknown) {
  return isGiven(definition)
    ? checkDefinition(problems, definition)
    : (definition as null | undefined);
}

/** Answers with the id of the version. What is given as its definition becomes the draft too. */
export function publishSolutionVersion(
  store: Store,
  caller: Caller,
  input: PublishSolutionVersionInput,
): Promise<SaveResult> {
  return save(store, caller, {
    field: 'publishSolutionVersion',
    input,
    async change(tx, problems) {
      // Locked, so that the next version is the next one.
      const current = await findEntry(tx, caller, { ...kind, reference: input.solution });
      expectVersion(input, current);
      const given = isGiven(input.definition);
      const source = given ? input.definition : current.definition;
      const definition = isGiven(source) ? checkDefinition(problems, source) : {};
      if (!isGiven(source)) {
        problems.issue('definition', `${current.key} has no draft: give what to publish.`);
      }
      const newest = await newestVersion(tx, current.id);
      const version = input.version ?? nextVersion(newest?.version);
      await checkVersion(tx, problems, { solution: current, version, newest: newest?.version });
      problems.throwIfAny();
      const id = randomUUID();
      await tx.insert(solutionVersions).values({
        id,
        organizationId: caller.organizationId,
        solutionId: current.id,
        version,
        ordinal: (newest?.ordinal ?? 0) + 1,
        definition,
      });
      if (given) await setColumns(tx, kind, current, { definition });
      await markSecrets(tx, { solutionId: current.id, keys: store.secretKeys }, definition);
      return { id };
    },
  });
}

export function deleteSolution(
  store: Store,
  caller: Caller,
  input: DeleteSolutionInput,
): Promise<SaveResult> {
  return deleteEntry(store, caller, {
    ...kind,
    field: 'deleteSolution',
    input,
    reference: input.solution,
    expectUnused: ({ id }, tx) =>
      expectNoInstances(tx, eq(instances.solutionId, id), {
        remedy: 'give them another solution, or delete them, first',
      }),
  });
}

/** The version published last; undefined: none is. */
export async function newestVersion(tx: Transaction, solutionId: string) {
  const [newest] = await tx
    .select()
    .from(solutionVersions)
    .where(eq(solutionVersions.solutionId, solutionId))
    .orderBy(desc(solutionVersions.ordinal))
    .limit(1);
  return newest;
}

const isGiven = (definition: unknown): boolean => definition !== undefined && definition !== null;

const versionPattern = /^(0|[1-9][0-9]{0,8})(\.(0|[1-9][0-9]{0,8})){0,5}$/;

async function checkVersion(
  tx: Transaction,
  problems: Problems,
  {
    solution,
    version,
    newest,
  }: { solution: { id: string; key: string }; version: string; newest: string | undefined },
): Promise<void> {
  if (!versionPattern.test(version)) {
    problems.issue(
      'version',
      'A version is one to six numbers with dots between them: 1.1. Null takes the next one.',
    );
    return;
  }
  const taken = await tx
    .select({ id: solutionVersions.id })
    .from(solutionVersions)
    .where(
      and(eq(solutionVersions.solutionId, solution.id), eq(solutionVersions.version, version)),
    );
  if (taken.length > 0) {
    problems.conflict(
      'version',
      'KEY_TAKEN',
      `Version ${version} of ${solution.key} is published and never changes: choose a greater one.`,
    );
  } else if (newest !== undefined && compareVersions(version, newest) <= 0) {
    problems.issue('version', `It must be greater than ${newest}, which is published.`);
  }
}

/** `1.0`, then the next minor one: `1.1` behind `1.0`, `2.4` behind `2.3.9`. */
function nextVersion(newest: string | undefined): string {
  if (newest === undefined) return '1.0';
  const [major, minor] = newest.split('.');
  return `${major}.${Number(minor ?? 0) + 1}`;
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
