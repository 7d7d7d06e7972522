/** What a user's command does to a host. The rules: docs/lifecycle.md, "Commands". */
import type {
  Change,
  DecisionContext,
  HostSnapshot,
  InstanceSnapshot,
  Snapshot,
} from './change.ts';
import { Draft } from './draft.ts';
import { stopAll } from './effects.ts';
import { type HostAction, hostActions, hostStateFacts } from './host.ts';
import { enterHost } from './host-entry.ts';
import { hostCommands } from './host-table.ts';
import { isLiveState } from './instance.ts';
import type { OperationKind } from './operation.ts';
import { type Refusal, refuse } from './refusal.ts';

/** Is the instance neither at rest nor in error? */
export const isLive = (instance: InstanceSnapshot): boolean => isLiveState(instance.state);

/**
 * The refusal of this command in the present state, or null. Order of checks: the active operation,
 * the cell of the table, the instances.
 */
export function refuseHostCommand(
  action: HostAction,
  host: HostSnapshot,
  instances: readonly InstanceSnapshot[],
): Refusal | null {
  const { operation } = host;
  const cell = hostCommands[host.state][action];
  if (operation && action !== 'DELETE') {
    if (action === 'FORCE_REMOVE' && 'enters' in cell) return null;
    return refuse(
      'OPERATION_IN_PROGRESS',
      `${operation.kind} is under way on host ${host.key}. Wait for operation ${operation.id}, or remove the host by force.`,
      { retryable: true, retryAfterSeconds: 1, operationId: operation.id },
    );
  }
  if ('refused' in cell) return refuse(cell.refused, cellMessage(action, host));
  const live = action === 'REMOVE' ? instances.filter(isLive) : [];
  const first = live[0];
  if (first) {
    return refuse(
      'HOST_HAS_LIVE_INSTANCES',
      `Host ${host.key} still runs ${live.length === 1 ? 'instance' : 'instances'} ${live
        .slice(0, 5)
        .map(({ key }) => key)
        .join(', ')}${live.length > 5 ? ', …' : ''}. Stop them first, or remove the host by force.`,
      { blockedBy: { kind: 'INSTANCE', id: first.id } },
    );
  }
  return null;
}

function cellMessage(action: HostAction, host: HostSnapshot): string {
  const row = hostCommands[host.state];
  const legal = hostActions.filter((other) => 'enters' in row[other]);
  switch (host.state) {
    case 'FAILED_DEPLOYMENT':
      return `Host ${host.key} is FAILED_DEPLOYMENT; removeHost first, then deployHost.`;
    case 'RUNNING':
      if (action === 'DEPLOY')
        return `Host ${host.key} is RUNNING already; there is nothing to do.`;
      break;
    default:
  }
  return `${action} is not possible while host ${host.key} is ${host.state}. Possible: ${legal.join(', ')}.`;
}

/** The commands that would be accepted now. A deletion also requires that no instance names it. */
export function allowedHostActions(
  host: HostSnapshot,
  instances: readonly InstanceSnapshot[],
): HostAction[] {
  return hostActions.filter(
    (action) =>
      !refuseHostCommand(action, host, instances) && (action !== 'DELETE' || !instances.length),
  );
}

const operationKindOf: Readonly<Record<Exclude<HostAction, 'DELETE'>, OperationKind>> = {
  DEPLOY: 'DEPLOY_HOST',
  RESTART: 'RESTART_HOST',
  RESTART_CONTAINER: 'RESTART_CONTAINER',
  REMOVE: 'REMOVE_HOST',
  FORCE_REMOVE: 'REMOVE_HOST',
};

/**
 * Begins the operation of an accepted action and enters the state of its cell. Also used for the
 * deployment that is a child of deployInstance.
 */
export function beginHostAction(
  draft: Draft,
  host: HostSnapshot,
  options: { action: Exclude<HostAction, 'DELETE'>; parentId?: string; returned?: true },
): void {
  const { action, parentId, returned } = options;
  const cell = hostCommands[host.state][action];
  if ('refused' in cell) throw new Error(`${action} is refused while the host is ${host.state}`);
  draft.end(host, 'SUPERSEDED');
  const to = cell.enters;
  const goesOn = to === null || hostStateFacts[to].class === 'TRANSIENT';
  const operationId = draft.begin(operationKindOf[action], host, {
    parentId,
    returned,
    status: goesOn ? 'RUNNING' : 'SUCCEEDED',
  });
  if (to === null) beginRemoval(draft, host, operationId);
  else enterHost(draft, host, to, { trigger: action, operationId });
}

/** A removal enters no state: the host is `removing` until the release is confirmed. */
function beginRemoval(draft: Draft, host: HostSnapshot, operationId: string): void {
  draft.host(host, null, { operationId, removing: true });
  draft.drop(host.id, [
    'ALLOCATE_HOST',
    'CONFIGURE_DNS',
    'DEPLOY_CONTAINER',
    'CONFIRM_HOST',
    'RESTART_HOST',
    'RESTART_CONTAINER',
    'CHECK_HOST',
  ]);
  draft.addWork('RELEASE_HOST', host, { operationId });
  draft.addWork('REMOVAL_DEADLINE', host, {
    operationId,
    dueInSeconds: draft.context.deadlines.removal,
  });
  stopAll(draft, { operationId, transition: null }, { comesBack: false });
}

/**
 * Decides a command on the host of `snapshot`, whose instances are all that name it.
 *
 * @returns what to write, or the refusal (then nothing is written)
 */
export function decideHostCommand(
  snapshot: Snapshot,
  action: HostAction,
  context: DecisionContext,
): Change | Refusal {
  const { host } = snapshot;
  if (!host) throw new Error('decideHostCommand: the snapshot has no host');
  const refusal = refuseHostCommand(action, host, snapshot.instances);
  if (refusal) return refusal;
  const draft = new Draft(snapshot, context);
  if (action === 'DELETE') draft.host(host, null, { archive: true });
  else beginHostAction(draft, host, { action, returned: true });
  return draft.done();
}
