/** What a user's command does to a host. Source: lifecycle.md, first host table. */
import type { Change, Context, HostSnapshot, InstanceSnapshot, World } from './change.ts';
import { Draft } from './draft.ts';
import { stopAll, takeOverAll } from './effects.ts';
import { type Refusal, refuse } from './errors.ts';
import { type HostAction, hostActions, hostCommands } from './host.ts';
import { isAtRest, isError } from './instance.ts';

/** Any instance that is not OFFLINE, STOPPED or in error. */
export const isLive = (instance: InstanceSnapshot): boolean =>
  !isAtRest(instance.state) && !isError(instance.state);

/**
 * Would this command be refused now, and how? Null when it is accepted. The checks run in this
 * order: the active operation, the cell of the table, the instances.
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

/** Exactly the commands that would be accepted now; deleting also asks that no instance names it. */
export function allowedHostActions(
  host: HostSnapshot,
  instances: readonly InstanceSnapshot[],
): HostAction[] {
  return hostActions.filter(
    (action) =>
      !refuseHostCommand(action, host, instances) && (action !== 'DELETE' || !instances.length),
  );
}

/** Begins a deployment; also the child of deployInstance. Returns the operation's id. */
export function deployHost(
  draft: Draft,
  host: HostSnapshot,
  options: { parentId?: string; answers?: true },
): string {
  const operationId = draft.begin('DEPLOY_HOST', host, options);
  draft.host(host, 'DEPLOYING', {
    operationId,
    failure: null,
    failedStage: null,
    address: null,
  });
  draft.addWork('ALLOCATE_HOST', { ...host, sequence: host.sequence + 1 }, { operationId });
  return operationId;
}

/**
 * Decides a command on the host of `world`, whose instances are all that name it.
 *
 * @returns what to write, or the refusal (then nothing is written)
 */
export function decideHostCommand(
  world: World,
  action: HostAction,
  context: Context,
): Change | Refusal {
  const { host } = world;
  if (!host) throw new Error('decideHostCommand: the world has no host');
  const refusal = refuseHostCommand(action, host, world.instances);
  if (refusal) return refusal;

  const draft = new Draft(world, context);
  const entered = { ...host, sequence: host.sequence + 1 };
  switch (action) {
    case 'DEPLOY':
      deployHost(draft, host, { answers: true });
      break;
    case 'RESTART': {
      const operationId = draft.begin('RESTART_HOST', host, { answers: true });
      draft.host(host, 'RESTARTING_HOST', { operationId, failure: null });
      draft.drop(host.id, ['CHECK_HOST']);
      draft.addWork('RESTART_HOST', entered, { operationId });
      takeOverAll(draft, operationId);
      break;
    }
    case 'RESTART_CONTAINER': {
      const operationId = draft.begin('RESTART_CONTAINER', host, { answers: true });
      draft.host(host, 'RESTARTING_CONTAINER', { operationId });
      draft.addWork('RESTART_CONTAINER', entered, { operationId });
      const transition = { resourceId: host.id, sequence: entered.sequence };
      stopAll(draft, { operationId, transition }, { comesBack: true });
      break;
    }
    case 'REMOVE':
    case 'FORCE_REMOVE': {
      draft.end(host, 'SUPERSEDED');
      const operationId = draft.begin('REMOVE_HOST', host, { answers: true });
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
        dueInSeconds: context.deadlines.removal,
      });
      stopAll(draft, { operationId, transition: null }, { comesBack: false });
      break;
    }
    case 'DELETE':
      draft.host(host, null, { archive: true });
      break;
    default:
      action satisfies never;
  }
  return draft.done();
}
