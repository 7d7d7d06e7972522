/** Lifecycle commands of users: find, check, decide, commit. The work is not awaited. */
import { decideCancel, type OperationToCancel } from '../../lifecycle/cancel.ts';
import type { HostAction } from '../../lifecycle/host.ts';
import { decideHostCommand } from '../../lifecycle/host-commands.ts';
import { type InstanceAction, isAtRest } from '../../lifecycle/instance.ts';
import { decideInstanceCommand } from '../../lifecycle/instance-commands.ts';
import type { Refusal } from '../../lifecycle/refusal.ts';
import { type StartIssue, startIssues } from '../../lifecycle/start-issues.ts';
import type { WrittenRows } from '../commit/options.ts';
import type { Store } from '../commit/store.ts';
import { isId } from '../input/checks.ts';
import { type CommitRequest, type CommitSteps, commitOnce } from './commit-once.ts';
import { missingTag } from './container-tag.ts';
import { findStoredResult, keyUsed } from './idempotency.ts';
import {
  type CommandRead,
  hostToCommand,
  type InstanceToCommand,
  instanceSnapshot,
  instanceToCommand,
  type StoredSnapshot,
} from './snapshot.ts';

export interface Command extends CommitRequest {
  /** A uuid or a key. */
  readonly reference: string;
  readonly expectedSequence: number | null;
  /** Of UPDATE_RUNTIME. */
  readonly containerTag?: string | null;
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
      readonly path: string;
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
    load: () => loadInstance(store, action, command),
    issues: (snapshot) => snapshot.tagIssues ?? startIssues(action, snapshot),
    sequenceOf: (snapshot) => snapshot.instances[0]?.sequence ?? 0,
    rule: (snapshot, context) =>
      decideInstanceCommand(snapshot, action, context, command.containerTag),
    resourceOf: (snapshot) => snapshot.instances[0]?.id ?? '',
  });
}

/** With what is wrong with the tag of an update. */
async function loadInstance(
  store: Store,
  action: InstanceAction,
  command: Command,
): Promise<CommandRead<InstanceToCommand & { readonly tagIssues?: StartIssue[] }>> {
  const read = await instanceToCommand(store, command);
  const { containerTag } = command;
  const instance = read.snapshot?.instances[0];
  if (action !== 'UPDATE_RUNTIME' || !read.snapshot || !instance?.image) return read;
  const missing = await missingTag(store, instance.id, containerTag ?? '');
  if (!missing)
    return isAtRest(instance.state)
      ? { ...read, snapshot: { ...read.snapshot, tagIssues: [] } }
      : read;
  const { repository, tags } = missing;
  const message = `Container repository ${repository} has no such tag; it has ${tags.join(', ')}. Read the tags of its registry with syncContainerTags, or add one with addContainerTag.`;
  const tagIssues = [{ path: 'input.containerTag', message }];
  return { ...read, snapshot: { ...read.snapshot, tagIssues } };
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

interface OperationSnapshot extends StoredSnapshot {
  readonly operation: OperationToCancel;
}

/** Cancels an operation that is still waiting: QUEUED, untouched. `reference` is its uuid. */
export async function cancelOperation(store: Store, command: Command): Promise<CommandResult> {
  const { organizationId, idempotency, reference } = command;
  const found = isId(reference) ? await findOperation(store, organizationId, reference) : null;
  // An operation of a host cannot be cancelled, whatever the host is.
  const ofHost: StoredSnapshot = { organizationId, host: null, instances: [] };
  const load = async (operation: OperationToCancel): Promise<OperationSnapshot | null> => {
    const { instanceId } = operation;
    const snapshot = instanceId ? await instanceSnapshot(store, instanceId) : ofHost;
    return snapshot && { ...snapshot, operation };
  };
  return run<OperationSnapshot>(store, command, {
    kind: 'Operation',
    // The key is read last: whoever sees the operation cancelled sees by which key.
    load: async () => ({
      snapshot: found && (await load(found)),
      before: idempotency && (await findStoredResult(store.database, organizationId, idempotency)),
    }),
    sequenceOf: () => command.expectedSequence ?? 0,
    rule: (snapshot, context) => decideCancel(snapshot, snapshot.operation, context),
    resourceOf: ({ operation }) => operation.instanceId ?? '',
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
    load: () => Promise<CommandRead<S>>;
    issues?: (snapshot: S) => StartIssue[];
    sequenceOf: (snapshot: S) => number;
    rule: CommitSteps<S, CommandResult>['rule'];
    resourceOf: (snapshot: S) => string;
  },
): Promise<CommandResult> {
  return commitOnce<S, CommandResult>(store, command, {
    load: what.load,
    repeat: ({ operationId, resourceId }) =>
      operationId && resourceId
        ? { outcome: 'ACCEPTED', resourceId, operationId, rows: null }
        : keyUsed,
    notFound: { outcome: 'NOT_FOUND', kind: what.kind, reference: command.reference },
    check(snapshot) {
      const issues = what.issues?.(snapshot) ?? [];
      if (issues.length > 0) return { outcome: 'INVALID', issues };
      return sequenceConflict(command, what.sequenceOf(snapshot));
    },
    rule: what.rule,
    committed: (change, { rows }, snapshot) => ({
      outcome: 'ACCEPTED',
      resourceId: what.resourceOf(snapshot),
      operationId: change.operationId ?? '',
      rows,
    }),
    refused: (refusal, snapshot) => ({ outcome: 'REFUSED', refusal, snapshot }),
  });
}

function sequenceConflict(
  { expectedSequence }: Command,
  currentSequence: number,
): CommandResult | null {
  if (expectedSequence === null || expectedSequence === currentSequence) return null;
  return {
    outcome: 'CONFLICT',
    code: 'VERSION_CONFLICT',
    message: `The sequence is ${currentSequence}, not ${expectedSequence}: its state has changed since. Read it again, then decide.`,
    path: 'expectedSequence',
    currentVersion: null,
    currentSequence,
  };
}
