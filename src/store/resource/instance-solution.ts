/** What an instance runs: a solution, a version of it or always the newest, and fitting settings. */
import { desc, eq } from 'drizzle-orm';
import { checkSettings } from '../../lifecycle/solution.ts';
import { type Check, named } from '../input/caller.ts';
import { isId, isText } from '../input/checks.ts';
import type { Problems } from '../input/save-result.ts';
import type { SettingsOwner, StoredSettings } from '../secret/settings.ts';
import { solutions, solutionVersions } from '../table/schema.ts';
import { openForEdit, sealSettings, secretsAmong } from './secret-settings.ts';
import { newestVersion } from './solutions.ts';

async function findSolution({ tx, caller, problems }: Check, reference: string) {
  const [found] = await tx
    .select()
    .from(solutions)
    .where(named(solutions, caller, reference))
    .for('share');
  if (!found) {
    problems.issue(
      'solution',
      'There is no such solution: give the id or key of one, or create it with createSolution.',
    );
  }
  return found;
}

/** The version that an input names, which must be one of this solution. */
async function findSolutionVersion(
  { tx, problems }: Check,
  solution: { id: string; key: string },
  reference: string,
) {
  const published = await tx
    .select()
    .from(solutionVersions)
    .where(eq(solutionVersions.solutionId, solution.id))
    .orderBy(desc(solutionVersions.ordinal));
  const found = published.find((one) => reference === (isId(reference) ? one.id : one.version));
  if (!found) {
    const newest = published.slice(0, 5).map(({ version }) => version);
    const known =
      newest.length > 0 ? `give one of ${newest.join(', ')}, or null` : 'publish it first';
    problems.issue(
      'solutionVersion',
      `Solution ${solution.key} has no such published version: ${known}.`,
    );
  }
  return found;
}

/**
 * The settings as they are stored: those that are there now with the input's changes, where null
 * takes one away.
 */
function mergeSettings(
  problems: Problems,
  current: Record<string, unknown>,
  input: unknown,
): Record<string, unknown> {
  if (input === undefined) return current;
  if (input === null) return {};
  if (typeof input !== 'object' || Array.isArray(input)) {
    problems.issue('settings', 'Settings are an object: name to value.');
    return {};
  }
  const merged = new Map(Object.entries(current));
  for (const [name, value] of Object.entries(input)) {
    if (value === null) merged.delete(name);
    else merged.set(name, value);
  }
  return Object.fromEntries(merged);
}

/** Settings against what the version declares; a value is never repeated, it may be a secret. */
function checkSettingsOf(
  problems: Problems,
  definition: unknown,
  settings: Record<string, unknown>,
): void {
  for (const { path, message } of checkSettings(definition, settings)) {
    problems.issue(path === '' ? 'settings' : `settings.${path}`, message);
  }
}

/** The columns that say what an instance runs. */
interface WhatRuns extends StoredSettings {
  readonly solutionId: string;
  /** Null: always the newest. */
  readonly solutionVersionId: string | null;
}

interface WhatRunsInput {
  solution?: string | null;
  solutionVersion?: string | null;
  settings?: unknown;
}

const none: StoredSettings = { settings: {}, secretSettings: [] };

/** What an instance with these settings runs, its secrets sealed; undefined where that is at fault. */
export async function checkWhatRuns(
  check: Check,
  input: WhatRunsInput & { solution: string },
  { before = none, ...owner }: SettingsOwner & { before?: StoredSettings },
): Promise<WhatRuns | undefined> {
  const { tx, problems } = check;
  // Null clears all of them.
  const anew = Object.keys((input.settings === null ? before.settings : input.settings) ?? {});
  const opened = openForEdit(problems, before, { ...owner, anew });
  if (!opened) return undefined;
  const settings = mergeSettings(problems, opened, input.settings);
  const solution = await findSolution(check, input.solution);
  if (!solution) return undefined;
  const pinned = isText(input.solutionVersion)
    ? await findSolutionVersion(check, solution, input.solutionVersion)
    : null;
  if (pinned === undefined) return undefined;
  const newest = await newestVersion(tx, solution.id);
  const version = pinned ?? newest;
  if (version) checkSettingsOf(problems, version.definition, settings);
  const secretSettings = secretsAmong(
    settings,
    { before, anew },
    [version, newest, solution].map((one) => one?.definition),
  );
  return {
    ...{ solutionId: solution.id, solutionVersionId: pinned?.id ?? null },
    settings: sealSettings(problems, { settings, secretSettings }, owner),
    secretSettings,
  };
}

/** What an instance runs after an edit: the three are checked together, for they must fit. */
export async function checkWhatStillRuns(
  check: Check,
  { current, ...owner }: SettingsOwner & { current: WhatRuns },
  input: WhatRunsInput,
): Promise<Partial<WhatRuns>> {
  const { solution, solutionVersion, settings } = input;
  if ([solution, solutionVersion, settings].every((field) => field === undefined)) return {};
  const version = solutionVersion === undefined ? current.solutionVersionId : solutionVersion;
  const after = { solution: solution ?? current.solutionId, solutionVersion: version, settings };
  return (await checkWhatRuns(check, after, { ...owner, before: current })) ?? {};
}
