/** Lifecycle commands of users: found, checked, decided, written; the work is not waited for. */
import { decideCancel, type OperationToCancel, refuseCancel } from '../../lifecycle/cancel.ts';
import type { Actor } from '../../lifecycle/change.ts';
import type { Refusal } from '../../lifecycle/errors.ts';
import type { HostAction } from '../../lifecycle/host.ts';
import { decideHostCommand } from '../../lifecycle/host-commands.ts';
import type { InstanceAction } from '../../lifecycle/instance.ts';
import { decideInstanceCommand } from '../../lifecycle/instance-commands.ts';
import { type StartIssue, startIssues } from '../../lifecycle/start-issues.ts';
import type { Idempotency, WrittenRows } from '../commit/options.ts';
import { decide, type Store } from '../commit/store.ts';
import { isId } from '../input/checks.ts';
import { forget, keyUsed, type Remembered, recall } from './idempotency.ts';
import {
  type Commanded,
  hostToCommand,
  instanceSnapshot,
  instanceToCommand,
  type StoredSnapshot,
} from './snapshot.ts';

export interface Command {
  readonly organizationId: string;
  readonly actor: Actor;
  /** A uuid or a key. */
  readonly reference: string;
  readonly reason: string | null;
  readonly expectedSequence: number | null;
  readonly idempotency: Idempotency | null;
}

export type CommandResult =
  | {
      readonly outcome: 'ACCEPTED';
      readonly resourceId: string;
      readonly operationId: string;
      /** As they were committed; null where they have to be read. */
      readonly rows: WrittenRows | null;
    }
  | {
      readonly outcome: 'REFUSED';
      readonly refusal: Refusal;
      /** As it was when the command was refused; null for an operation's. */
      readonly snapshot: StoredSnapshot | null;
    }
  | { readonly outcome: 'INVALID'; readonly issues: StartIssue[] }
  | { readonly outcome: 'NOT_FOUND'; readonly kind: string; readonly reference: string }
  | {
      readonly outcome: 'CONFLICT';
      readonly code: 'VERSION_CONFLICT' | 'IDEMPOTENCY_CONFLICT';
      readonly message: string;
      readonly currentVersion: number | null;
      readonly currentSequence: number | null;
    };

/** Commands an instance. Every refusal has written nothing. */
export function commandInstance(
  store: Store,
  action: Exclude<InstanceAction, 'DELETE'>,
  command: Command,
): Promise<CommandResult> {
  return run(store, command, {
    kind: 'Instance',
    load: () => instanceToCommand(store, command),
    issues: (snapshot) => startIssues(action, snapshot),
    sequenceOf: (snapshot) => snapshot.instances[0]?.sequence ?? 0,
    rule: (snapshot, context) => decideInstanceCommand(snapshot, action, context),
    resourceOf: (snapshot) => snapshot.instances[0]?.id ?? '',
  });
}

/** Commands a host. Every refusal has written nothing. */
export function commandHost(
  store: Store,
  action: Exclude<HostAction, 'DELETE'>,
  command: Command,
): Promise<CommandResult> {
  return run(store, command, {
    kind: 'Host',
    load: () => hostToCommand(store, command),
    sequenceOf: (snapshot) => snapshot.host?.sequence ?? 0,
    rule: (snapshot, context) => decideHostCommand(snapshot, action, context),
    resourceOf: (snapshot) => snapshot.host?.id ?? '',
  });
}

/** Cancels an operation that is still waiting: QUEUED, untouched. `reference` is its uuid. */
export async function cancelOperation(store: Store, command: Command): Promise<CommandResult> {
  const { organizationId, idempotency, reference } = command;
  const before = async () =>
    idempotency && (await recall(store.database, organizationId, idempotency));
  const known = answerOf(command, await before());
  if (known) return known;
  const found = isId(reference) ? await findOperation(store, organizationId, reference) : null;
  if (!found) return { outcome: 'NOT_FOUND', kind: 'Operation', reference };
  const { instanceId } = found;
  if (!instanceId) return { outcome: 'REFUSED', refusal: refuseCancel(found), snapshot: null };
  return run(store, command, {
    kind: 'Operation',
    // The key last: whoever sees that it was cancelled sees by which key.
    load: async () => ({
      snapshot: await instanceSnapshot(store, instanceId),
      before: await before(),
    }),
    sequenceOf: () => command.expectedSequence ?? 0,
    rule: (snapshot, context) => decideCancel(snapshot, found, context),
    resourceOf: () => instanceId,
  });
}

async function findOperation(store: Store, organizationId: string, id: string) {
  const [row] = await store.database.query<OperationToCancel>(
    `select id, kind, status, instance_id as "instanceId"
       from operations where organization_id = $1::uuid and id = $2::uuid`,
    [organizationId, id],
  );
  return row ?? null;
}

async function run<S extends StoredSnapshot>(
  store: Store,
  command: Command,
  what: {
    /** What the reference names, as it is called in the API. */
    kind: string;
    load: () => Promise<Commanded<S>>;
    issues?: (snapshot: S) => StartIssue[];
    sequenceOf: (snapshot: S) => number;
    rule: Parameters<typeof decide<S>>[2];
    resourceOf: (snapshot: S) => string;
  },
): Promise<CommandResult> {
  const { organizationId, idempotency, expectedSequence } = command;
  /** Why nothing is decided. */
  let instead: CommandResult | null = null;
  const load = async () => {
    const { snapshot, before } = await what.load();
    if (before?.expired && idempotency) await forget(store.database, organizationId, idempotency);
    instead = before?.expired ? null : answerOf(command, before);
    return snapshot;
  };
  const rule: typeof what.rule = (snapshot, context) => {
    if (instead) return null;
    const issues = what.issues?.(snapshot) ?? [];
    const sequence = what.sequenceOf(snapshot);
    if (issues.length > 0) instead = { outcome: 'INVALID', issues };
    else if (expectedSequence !== null && expectedSequence !== sequence) {
      instead = {
        outcome: 'CONFLICT',
        code: 'VERSION_CONFLICT',
        message: `The sequence is ${sequence}, not ${expectedSequence}: its state has changed since. Read it again, then decide.`,
        currentVersion: null,
        currentSequence: sequence,
      };
    }
    return instead ? null : what.rule(snapshot, context);
  };
  const decided = await decide(store, load, rule, {
    actor: command.actor,
    reason: command.reason,
    returning: true,
    ...(idempotency ? { idempotency } : {}),
  });
  if (instead) return instead;
  switch (decided.outcome) {
    case 'WRITTEN':
      return {
        outcome: 'ACCEPTED',
        resourceId: what.resourceOf(decided.snapshot),
        operationId: decided.change.operationId ?? '',
        rows: decided.written.rows,
      };
    case 'REFUSED':
      return { outcome: 'REFUSED', refusal: decided.refusal, snapshot: decided.snapshot };
    case 'NOT_FOUND':
      return { outcome: 'NOT_FOUND', kind: what.kind, reference: command.reference };
    case 'NOTHING':
    case 'LOST':
      throw new Error(`A command was decided and came to ${decided.outcome}.`);
    default:
      return decided satisfies never;
  }
}

/** The answer that the idempotency key has already: the same again, or that the input was another. */
function answerOf({ idempotency }: Command, before: Remembered | null): CommandResult | null {
  if (!before || !idempotency) return null;
  const { inputHash, operationId, resourceId } = before;
  if (inputHash !== idempotency.inputHash || !operationId || !resourceId) return keyUsed;
  return { outcome: 'ACCEPTED', resourceId, operationId, rows: null };
}
