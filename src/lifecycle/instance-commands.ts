/** What a user's command does to an instance. The rules: docs/lifecycle.md, "Commands". */
import type {
  Change,
  DecisionContext,
  HostSnapshot,
  InstanceSnapshot,
  Snapshot,
} from './change.ts';
import { isRemoving } from './change.ts';
import { Draft } from './draft.ts';
import { beginHostAction } from './host-commands.ts';
import {
  type DesiredInstanceState,
  type InstanceAction,
  instanceActions,
  instanceStateFacts,
  isAtRest,
} from './instance.ts';
import { enterInstance } from './instance-entry.ts';
import { desiredBy, forcedStops, instanceCommands } from './instance-table.ts';
import {
  type ImageChoice,
  type OperationKind,
  type RuntimeUpdate,
  updatePhases,
  waitingForHost,
} from './operation.ts';
import { type Refusal, refuse } from './refusal.ts';
import type { CellRefusal } from './table-types.ts';

const operationKindOf: Readonly<Record<Exclude<InstanceAction, 'DELETE'>, OperationKind>> = {
  DEPLOY: 'DEPLOY_INSTANCE',
  START: 'START_INSTANCE',
  PAUSE: 'PAUSE_INSTANCE',
  RESUME: 'RESUME_INSTANCE',
  STOP: 'STOP_INSTANCE',
  FORCE_STOP: 'STOP_INSTANCE',
  RESTART: 'RESTART_INSTANCE',
  UPDATE_RUNTIME: 'UPDATE_RUNTIME',
  DETACH: 'DETACH_INSTANCE',
};

const asksTheHost: ReadonlySet<InstanceAction> = new Set<InstanceAction>([
  'DEPLOY',
  'START',
  'PAUSE',
  'RESUME',
  'STOP',
  'FORCE_STOP',
  'RESTART',
  'UPDATE_RUNTIME',
]);

/**
 * The refusal of this command in the present state, or null. Order of checks: the active operation,
 * the host, the cell of the table.
 */
function refuseInstanceCommand(
  action: InstanceAction,
  instance: InstanceSnapshot,
  host: HostSnapshot | null,
): Refusal | null {
  const { operation } = instance;
  if (operation) {
    const supersedes = action === 'FORCE_STOP' && 'enters' in cellOf(action, instance);
    if (supersedes) return null;
    return refuse(
      'OPERATION_IN_PROGRESS',
      `${operation.kind} is under way on instance ${instance.key}. Wait for operation ${operation.id}, or stop the instance by force.`,
      { retryable: true, retryAfterSeconds: 1, operationId: operation.id },
    );
  }
  if (action === 'UPDATE_RUNTIME' && (!instance.image || host?.driver === 'PROCESS')) {
    return refuse(
      'ILLEGAL_TRANSITION',
      `Instance ${instance.key} runs the runtime that comes with the server. An image is chosen for an instance of the Container edition on a host of a Docker provider.`,
    );
  }
  // The tag of an instance at rest is stored for its next start.
  const isStored = action === 'UPDATE_RUNTIME' && isAtRest(instance.state);
  if (asksTheHost.has(action) && !isStored) {
    const refusal = refuseByHost(action, instance, host);
    if (refusal) return refusal;
  }
  const cell = cellOf(action, instance);
  if ('enters' in cell) return null;
  return refuse(cell.refused, cellMessage(action, instance, cell.refused), {
    retryable: cell.refused === 'OPERATION_IN_PROGRESS',
  });
}

function refuseByHost(
  action: InstanceAction,
  instance: InstanceSnapshot,
  host: HostSnapshot | null,
): Refusal | null {
  if (!host) {
    return refuse(
      'HOST_NOT_READY',
      `Instance ${instance.key} has no host. Assign one with updateInstance(host), then deploy it.`,
    );
  }
  const blockedBy = { kind: 'HOST', id: host.id } as const;
  const operationId = host.operation?.id ?? null;
  if (host.state === 'RUNNING' && !isRemoving(host)) return null;
  if (action === 'DEPLOY' && !isRemoving(host)) {
    if (host.state === 'OFFLINE') return null;
    if (host.operation?.kind === 'DEPLOY_HOST') {
      return refuse(
        'OPERATION_IN_PROGRESS',
        `Host ${host.key} is being deployed already. Wait for operation ${host.operation.id}.`,
        { retryable: true, retryAfterSeconds: 1, blockedBy, operationId },
      );
    }
  }
  return refuse(
    'HOST_NOT_READY',
    `Host ${host.key} is ${isRemoving(host) ? 'being removed' : host.state}. ${hostRemedy(host)}`,
    { retryable: host.operation !== null, blockedBy, operationId },
  );
}

function hostRemedy(host: HostSnapshot): string {
  if (host.operation) return `Wait for its operation ${host.operation.id}.`;
  switch (host.state) {
    case 'OFFLINE':
      return 'Deploy it with deployHost, or instance and host at once with deployInstance.';
    case 'FAILED_DEPLOYMENT':
      return 'Remove it with removeHost, then deploy it again.';
    case 'FAILED_HEALTH_CHECK':
      return 'Restart it with restartHost, or wait for a check that it answers.';
    default:
      return 'Try again when it is RUNNING.';
  }
}

function cellMessage(
  action: InstanceAction,
  instance: InstanceSnapshot,
  code: CellRefusal,
): string {
  const { key, state } = instance;
  switch (code) {
    case 'RESTART_REQUIRED':
      return `Instance ${key} is ${state}; only restartInstance (or detachInstance) leaves an error state.`;
    case 'ALREADY_IN_STATE':
      return `Instance ${key} is ${state} already; there is nothing to do.`;
    case 'OPERATION_IN_PROGRESS':
      return `Instance ${key} is ${state}. Wait until that is over, or stop it by force.`;
    case 'ILLEGAL_TRANSITION':
    case 'REMOVE_REQUIRED': {
      const legal = instanceActions.filter((other) => 'enters' in instanceCommands[state][other]);
      return `${action} is not possible while instance ${key} is ${state}. Possible: ${legal.join(', ')}.`;
    }
    default:
      return code satisfies never;
  }
}

/** The commands that would be accepted now. */
export function allowedInstanceActions(
  instance: InstanceSnapshot,
  host: HostSnapshot | null,
): InstanceAction[] {
  return instanceActions.filter((action) => !refuseInstanceCommand(action, instance, host));
}

/**
 * Decides a command on the one instance of `snapshot`.
 *
 * @param tag of UPDATE_RUNTIME: what to run; null: the default tag of the container repository
 * @returns what to write, or the refusal (then nothing is written)
 */
export function decideInstanceCommand(
  snapshot: Snapshot,
  action: InstanceAction,
  context: DecisionContext,
  tag: string | null = null,
): Change | Refusal {
  const instance = snapshot.instances[0];
  if (!instance) throw new Error('decideInstanceCommand: the snapshot has no instance');
  const refusal = refuseInstanceCommand(action, instance, snapshot.host);
  if (refusal) return refusal;

  const draft = new Draft(snapshot, context);
  if (action === 'DELETE') {
    draft.instance(instance, null, { archive: true });
    return draft.done();
  }
  if (action === 'UPDATE_RUNTIME') {
    updateRuntime(draft, instance, { tag, digest: null });
    return draft.done();
  }
  const begin = (status: 'QUEUED' | 'RUNNING' | 'SUCCEEDED', phase?: string) =>
    draft.begin(operationKindOf[action], instance, { status, phase, returned: true });
  const desired = desiredBy[action];
  const { host } = snapshot;

  if (action === 'DEPLOY' && host?.state === 'OFFLINE') {
    const operationId = begin('QUEUED', waitingForHost);
    draft.instance(instance, null, { operationId, desired });
    beginHostAction(draft, host, { action: 'DEPLOY', parentId: operationId });
    return draft.done();
  }
  draft.end(instance, 'SUPERSEDED');
  const cell = cellOf(action, instance);
  const to = 'enters' in cell ? cell.enters : null;
  if (to === null) {
    acceptWithoutTransition(draft, instance, { action, begin, desired });
  } else if (action === 'DETACH' && !instance.runtimeGone) {
    // The cell's state is entered once the driver confirms that the runtime is gone.
    killFirst(draft, instance, { operationId: begin('RUNNING'), desired });
  } else {
    const goesOn = instanceStateFacts[to].class === 'TRANSIENT';
    const operationId = begin(goesOn ? 'RUNNING' : 'SUCCEEDED');
    enterInstance(draft, instance, to, { trigger: action, operationId, set: { desired } });
  }
  return draft.done();
}

/** At rest it is for the next start, in error it is started, and a live instance has it pulled first. */
function updateRuntime(draft: Draft, instance: InstanceSnapshot, image: ImageChoice): void {
  const begin = (
    status: 'RUNNING' | 'SUCCEEDED',
    rest: { phase?: string; update?: RuntimeUpdate },
  ) => draft.begin('UPDATE_RUNTIME', instance, { status, ...rest, returned: true });
  const cell = cellOf('UPDATE_RUNTIME', instance);
  const to = 'enters' in cell ? cell.enters : null;
  if (to !== null) {
    const desired = instance.desired === 'STOPPED' ? 'RUNNING' : instance.desired;
    const operationId = begin('RUNNING', {});
    enterInstance(draft, instance, to, {
      ...{ trigger: 'UPDATE_RUNTIME', operationId, set: { image, desired } },
    });
  } else if (isAtRest(instance.state)) {
    draft.instance(instance, null, { operationId: begin('SUCCEEDED', {}), image });
  } else {
    const update = { from: instance.image ?? image, to: image };
    const operationId = begin('RUNNING', { phase: updatePhases.pulling, update });
    draft.instance(instance, null, { operationId });
    draft.addWork('PULL_IMAGE', instance, { operationId });
    // As long as a deployment may pull.
    const dueInSeconds = draft.context.deadlines.host.DEPLOYING_CONTAINER;
    if (dueInSeconds !== undefined)
      draft.addWork('PULL_DEADLINE', instance, { operationId, dueInSeconds });
  }
}

/** The cell of a command. A forced stop that supersedes an operation has its own table. */
const cellOf = (action: InstanceAction, { state, operation }: InstanceSnapshot) =>
  action === 'FORCE_STOP' && operation ? forcedStops[state] : instanceCommands[state][action];

/** An accepted command that enters no state: nothing remains to be done, or the runtime is killed. */
function acceptWithoutTransition(
  draft: Draft,
  instance: InstanceSnapshot,
  {
    action,
    begin,
    desired,
  }: {
    action: InstanceAction;
    begin: (status: 'RUNNING' | 'SUCCEEDED') => string;
    desired: DesiredInstanceState | undefined;
  },
): void {
  if (action === 'FORCE_STOP' && !isAtRest(instance.state)) {
    killFirst(draft, instance, { operationId: begin('RUNNING'), desired });
    return;
  }
  if (action === 'FORCE_STOP') draft.drop(instance.id, ['CONTINUE_RESTART']);
  draft.instance(instance, null, { operationId: begin('SUCCEEDED'), desired });
}

function killFirst(
  draft: Draft,
  instance: InstanceSnapshot,
  set: { operationId: string; desired: DesiredInstanceState | undefined },
): void {
  draft.instance(instance, null, set);
  draft.addWork('KILL_RUNTIME', instance, { operationId: set.operationId });
}

/** What the instance takes now; null while its state cannot be confirmed. */
export function takes(instance: InstanceSnapshot): {
  messages: boolean | null;
  inputCommands: boolean | null;
} {
  if (instance.reachability === 'UNKNOWN') return { messages: null, inputCommands: null };
  const facts = instanceStateFacts[instance.state];
  return { messages: facts.takesMessages, inputCommands: facts.takesInputCommands };
}
