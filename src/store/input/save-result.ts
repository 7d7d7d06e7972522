/** The outcomes of a save, and the problems of an input, all of which are reported at once. */
import type { Refusal } from '../../lifecycle/refusal.ts';

/** The kinds of resources that an input can refer to. */
export type EntityKind =
  | 'INSTANCE'
  | 'HOST'
  | 'SOLUTION'
  | 'SOLUTION_VERSION'
  | 'CONTAINER_REPOSITORY'
  | 'CONTAINER_TAG'
  | 'DEVICE_REPOSITORY'
  | 'BILLING_SUBSCRIPTION'
  | 'COMPUTE_PROVIDER';

/** A problem of an input. `path` starts at the input: `definition.listeners.http.port`. */
export interface InputIssue {
  readonly path: string;
  readonly message: string;
}

export type ConflictCode =
  | 'VERSION_CONFLICT'
  | 'IDEMPOTENCY_CONFLICT'
  | 'KEY_TAKEN'
  | 'IN_USE'
  | 'HOST_FULL';

/** The outcome of a save. With every outcome but SAVED nothing was written. */
export type SaveResult =
  /** The id of what was created, updated or deleted; of a published version, the version's. */
  | { readonly outcome: 'SAVED'; readonly id: string }
  | { readonly outcome: 'INVALID'; readonly issues: InputIssue[] }
  | { readonly outcome: 'NOT_FOUND'; readonly kind: EntityKind; readonly reference: string }
  | {
      readonly outcome: 'CONFLICT';
      readonly code: ConflictCode;
      readonly message: string;
      /** The field of the input that collides; null: not a single one. */
      readonly path: string | null;
      readonly currentVersion: number | null;
      readonly currentSequence: number | null;
    }
  /** The state machine refused a deletion; `id` is the resource of the request. */
  | { readonly outcome: 'REFUSED'; readonly refusal: Refusal; readonly id: string };

/** What every mutation's input may carry. */
export interface CommonInput {
  idempotencyKey?: string | null;
  reason?: string | null;
}

/** What every edit and deletion may carry besides. */
export interface GuardedInput extends CommonInput {
  expectedVersion?: number | null;
}

/** Ends a save: its transaction is rolled back. */
export class NotSaved extends Error {
  readonly result: SaveResult;
  constructor(result: SaveResult) {
    super('The input is refused.');
    this.result = result;
  }
}

/** Collects the problems of an input, so that all are reported at once. */
export class Problems {
  readonly #issues: InputIssue[] = [];
  readonly #conflicts: (InputIssue & { code: ConflictCode })[] = [];

  get any(): boolean {
    return this.#issues.length + this.#conflicts.length > 0;
  }

  issue(path: string, message: string): void {
    this.#issues.push({ path, message });
  }

  /**
   * A single conflict is returned as a Conflict; together with other problems it is one of the
   * issues.
   */
  conflict(path: string, code: ConflictCode, message: string): void {
    this.#conflicts.push({ path, code, message });
  }

  /** @throws NotSaved where there is any */
  throwIfAny(): void {
    if (this.any) throw new NotSaved(this.result());
  }

  /** The result of an input that has problems. */
  result(): SaveResult {
    const [first] = this.#conflicts;
    if (this.#issues.length === 0 && this.#conflicts.length === 1 && first) {
      return conflict(first.code, first.message, first.path);
    }
    const issues = [
      ...this.#issues,
      ...this.#conflicts.map(({ path, message }) => ({ path, message })),
    ];
    return { outcome: 'INVALID', issues };
  }
}

export function conflict(
  code: ConflictCode,
  message: string,
  path: string | null = null,
): SaveResult {
  return { outcome: 'CONFLICT', code, message, path, currentVersion: null, currentSequence: null };
}

/** Ends a save with NOT_FOUND. */
export function notFound(kind: EntityKind, reference: string): never {
  throw new NotSaved({ outcome: 'NOT_FOUND', kind, reference });
}

/** Ends a save with VERSION_CONFLICT if the resource has changed since the caller read it. */
export function expectVersion(
  input: GuardedInput,
  current: { version: number; sequence?: number },
): void {
  const { expectedVersion } = input;
  if (expectedVersion === undefined || expectedVersion === null) return;
  if (expectedVersion === current.version) return;
  throw new NotSaved({
    outcome: 'CONFLICT',
    code: 'VERSION_CONFLICT',
    message: `It is at version ${current.version}, not ${expectedVersion}: read it again and decide again.`,
    path: 'expectedVersion',
    currentVersion: current.version,
    currentSequence: current.sequence ?? null,
  });
}
