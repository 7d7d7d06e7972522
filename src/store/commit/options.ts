/** The options of a commit, and the rows that it returns. */
import type { Notifier } from '../log/notifier.ts';

/**
 * The work item whose holder commits. If it does not hold this token any more, nothing is written.
 */
export interface HeldItem {
  readonly resourceId: string;
  readonly kind: string;
  readonly token: number;
}

export interface Idempotency {
  readonly caller: string;
  readonly field: string;
  readonly key: string;
  readonly inputHash: string;
}

/** The committed rows that a command returns. */
export interface WrittenRows {
  readonly resource: Readonly<Record<string, unknown>>;
  /** The operation that the command began. */
  readonly operation: Readonly<Record<string, unknown>>;
}

export interface CommitOptions {
  readonly organizationId: string;
  readonly heldItem?: HeldItem;
  readonly idempotency?: Idempotency;
  /** Runtime command that is completed in the same statement. */
  readonly completes?: { id: string; outcome: 'DONE' | 'FAILED'; message: string | null };
  /** Return the operation of the command, and its resource, as rows. */
  readonly returning?: boolean;
  /**
   * Lets the commit publish its rows. If it does not publish them, the caller notifies the nodes.
   */
  readonly notifier?: Notifier | null;
}
