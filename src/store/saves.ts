/** What every save of configuration shares: who asks, what is answered, and what is checked. */
import type { Actor } from '../lifecycle/change.ts';
import type { Refusal } from '../lifecycle/errors.ts';
import type { Store } from './store.ts';

/** Who saves. Every reference in an input is resolved within this organization. */
export interface Caller {
  readonly organizationId: string;
  /** Identity that idempotency keys belong to: of the token or the session's user. */
  readonly callerId: string;
  readonly actor: Actor;
}

/** Saving hosts (and instances, which may bring one) asks for the zone of their names. */
export interface SavingStore extends Store {
  /** `instances.test`: valid, lower case, without a final dot. */
  readonly dnsZone: string;
}

/** What an input can name; the GraphQL enum `EntityKind` without what no save names. */
export type EntityKind =
  | 'INSTANCE'
  | 'HOST'
  | 'SOLUTION'
  | 'SOLUTION_VERSION'
  | 'CONTAINER_REPOSITORY'
  | 'CONTAINER_TAG'
  | 'DEVICE_REPOSITORY'
  | 'BILLING_SUBSCRIPTION';

/** One thing wrong with an input; `path` from the input down: `definition.listeners.http.port`. */
export interface InputIssue {
  readonly path: string;
  readonly message: string;
}

export type ConflictCode = 'VERSION_CONFLICT' | 'IDEMPOTENCY_CONFLICT' | 'KEY_TAKEN' | 'IN_USE';

/** Anything but SAVED wrote nothing at all. */
export type SaveResult =
  /** `id`: what was created, changed or deleted; of a published version, the version. */
  | { readonly outcome: 'SAVED'; readonly id: string }
  | { readonly outcome: 'INVALID'; readonly issues: InputIssue[] }
  | { readonly outcome: 'NOT_FOUND'; readonly kind: EntityKind; readonly reference: string }
  | {
      readonly outcome: 'CONFLICT';
      readonly code: ConflictCode;
      readonly message: string;
      readonly currentVersion: number | null;
      readonly currentSequence: number | null;
    }
  /** The state machine refused a deletion; `id` is the resource that it was asked of. */
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
