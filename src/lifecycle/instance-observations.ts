/**
 * Decides observations of an instance: reports of its runtime and driver, deadlines. Null: the
 * observation does not apply in the present state, and nothing is written.
 * The rules: docs/lifecycle.md, "Edges" and "Reachability is not state".
 */
import {
  type Change,
  type DecisionContext,
  type InstanceSnapshot,
  isRemoving,
  type Snapshot,
} from './change.ts';
import { Draft, type InstanceSet } from './draft.ts';
import { failureAt } from './failure.ts';
import { endHostOperation, enterHost } from './host-entry.ts';
import { hostObservations } from './host-table.ts';
import { type InstanceState, instanceStateFacts, isError } from './instance.ts';
import {
  endInstanceOperation,
  enterInstance,
  isRollingBack,
  restarts,
  rollBack,
} from './instance-entry.ts';
import { failureFrom, type InstanceObservation } from './instance-observation.ts';
import {
  type InstanceEffect,
  type InstanceObservationName,
  instanceCommands,
  instanceObservations,
} from './instance-table.ts';
import { updatePhases } from './operation.ts';

export type { ExitCause, InstanceObservation } from './instance-observation.ts';

/** The table row of an observation. */
function rowOf(
  observation: InstanceObservation,
  restarting: boolean,
): InstanceObservationName | null {
  switch (observation.kind) {
    case 'RUNTIME_ONLINE':
      return restarting ? 'RUNTIME_SEEN' : 'RUNTIME_ONLINE';
    case 'COMMAND_COMPLETED':
      if (observation.command === 'STOP') return null;
      return `${observation.command}_${observation.done ? 'DONE' : 'FAILED'}`;
    default:
      return observation.kind;
  }
}

/** Rows that apply while the host restarts. Reports of the runs before it are ignored. */
const heardWhileHostRestarts: ReadonlySet<InstanceObservationName> = new Set([
  'RUNTIME_SEEN',
  'RESTART_CONTINUES',
] as const);

/** Decides an observation of the one instance of `snapshot`. */
export function observeInstance(
  snapshot: Snapshot,
  observation: InstanceObservation,
  context: DecisionContext,
): Change | null {
  const instance = snapshot.instances[0];
  if (!instance) return null;
  if ('runId' in observation && observation.runId !== instance.runId) return null;
  if ('operationId' in observation && observation.operationId !== instance.operation?.id)
    return null;
  const { host } = snapshot;
  // A removal supersedes the restart of the host: instances are observed again.
  const restarting = host?.state === 'RESTARTING_HOST' && !isRemoving(host);
  const trigger = rowOf(observation, restarting);
  if (!trigger || (restarting && !heardWhileHostRestarts.has(trigger))) return null;
  const cell = instanceObservations[trigger][instance.state];
  if (!cell) return null;
  const draft = new Draft(snapshot, context);
  const decided =
    'enters' in cell
      ? enter(draft, instance, {
          to: cell.whereDesired?.[instance.desired] ?? cell.enters,
          trigger,
          observation,
        })
      : affect[cell.effect](draft, instance, { trigger, observation });
  return decided ? draft.done() : null;
}

interface Observed {
  readonly trigger: InstanceObservationName;
  readonly observation: InstanceObservation;
}

/** False: the observation does not apply. */
type Decide = (draft: Draft, instance: InstanceSnapshot, observed: Observed) => boolean;

const affect: Readonly<Record<InstanceEffect, Decide>> = {
  FAIL: (draft, instance, { trigger, observation }) => {
    const to = instanceStateFacts[instance.state].failsTo;
    return to !== null && fail(draft, instance, { to, trigger, observation });
  },
  EXPIRE: (draft, instance, { trigger, observation }) => {
    const { deadline, failsTo } = instanceStateFacts[instance.state];
    if (observation.kind !== 'INSTANCE_DEADLINE' || !deadline) return false;
    if (observation.sequence !== instance.sequence) return false;
    const unconfirmed = deadline.kills && !observation.kill?.confirmed;
    const to = unconfirmed ? failsTo : deadline.onExpiry;
    if (!to) return false;
    return isError(to)
      ? fail(draft, instance, { to, trigger, observation })
      : enter(draft, instance, { to, trigger, observation });
  },
  REACHABLE: (draft, instance) => {
    const { host } = draft.snapshot;
    if (instance.reachability === 'OK') return false;
    if (host?.state === 'FAILED_HEALTH_CHECK' || host?.state === 'RESTARTING_HOST') return false;
    draft.instance(instance, null, { reachability: { value: 'OK', because: null } });
    return true;
  },
  UNREACHABLE: (draft, instance) => {
    if (instance.reachability === 'UNKNOWN' || draft.snapshot.host?.state !== 'RUNNING')
      return false;
    draft.instance(instance, null, { reachability: { value: 'UNKNOWN', because: 'RUNTIME' } });
    return true;
  },
  CONFIRM_GONE: (draft, instance) => {
    if (instance.runtimeGone) return false;
    const { operation } = instance;
    const detach = operation?.kind === 'DETACH_INSTANCE' && instanceCommands[instance.state].DETACH;
    const to = detach && 'enters' in detach ? detach.enters : null;
    if (to && operation) {
      enterInstance(draft, instance, to, {
        trigger: 'DETACH',
        operationId: operation.id,
        set: { runtimeGone: true },
      });
    } else {
      draft.instance(instance, null, { runtimeGone: true });
    }
    draft.drop(instance.id, ['KILL_RUNTIME', 'WATCH_RUNTIME']);
    if (detach) draft.end(instance, 'SUCCEEDED');
    return true;
  },
  FAIL_DETACH: (draft, instance, { observation }) => {
    if (instance.operation?.kind !== 'DETACH_INSTANCE') return false;
    draft.end(instance, 'FAILED', failureFrom(instance, observation));
    draft.instance(instance, null);
    draft.addWork('KILL_RUNTIME', instance, { dueInSeconds: 10 });
    return true;
  },
  FAIL_UPDATE: (draft, instance, { observation }) => {
    const status = observation.kind === 'PULL_DEADLINE' ? 'TIMED_OUT' : 'FAILED';
    draft.end(instance, status, failureFrom(instance, observation));
    draft.instance(instance, null);
    draft.drop(instance.id, ['PULL_IMAGE', 'PULL_DEADLINE']);
    return true;
  },
};

function enter(
  draft: Draft,
  instance: InstanceSnapshot,
  { to, trigger, observation }: Observed & { to: InstanceState },
): boolean {
  const { operation } = instance;
  if (trigger === 'RESTART_CONTINUES') {
    if (!(isError(instance.state) ? isRollingBack(instance) : restarts(instance))) return false;
    if (!isHostReady(draft, instance)) return true;
  }
  if (observation.kind === 'IMAGE_PULLED' && !imagePulled(draft, instance, observation.digest)) {
    return false;
  }
  const operationId = operation?.id ?? null;
  const set = { ...seenIn(observation), ...imageOf(trigger, instance) };
  enterInstance(draft, instance, to, { trigger, operationId, set });
  endInstanceOperation(draft, instance, to);
  if (trigger === 'RUNTIME_ONLINE') containerUp(draft);
  return true;
}

/** The instance is restarted on the new image. False: no update waits for it. */
function imagePulled(draft: Draft, instance: InstanceSnapshot, digest: string): boolean {
  const { operation } = instance;
  if (!operation?.update) return false;
  const { from, to } = operation.update;
  draft.operation(operation, instance, 'RUNNING', {
    phase: updatePhases.restarting,
    update: { from, to: { tag: to.tag, digest } },
  });
  return true;
}

/** The image that the second half of an update starts: the new one, or after its failure that of before. */
function imageOf(trigger: InstanceObservationName, instance: InstanceSnapshot): InstanceSet {
  const update = trigger === 'RESTART_CONTINUES' && instance.operation?.update;
  if (!update) return {};
  return { image: isRollingBack(instance) ? update.from : update.to };
}

/** Fields that the observation itself carries. */
function seenIn(observation: InstanceObservation): InstanceSet {
  switch (observation.kind) {
    case 'COMMAND_COMPLETED': {
      const { command, endpoints } = observation;
      return endpoints && command !== 'LOAD_SOLUTION' ? { endpoints } : {};
    }
    case 'RUNTIME_GONE':
      return { details: { exitCode: observation.exitCode, signal: observation.signal } };
    case 'INSTANCE_DEADLINE':
      return observation.kill ? { details: { exitCode: null, signal: 'SIGKILL' } } : {};
    default:
      return {};
  }
}

/** The first report of a runtime shows that a container of its host is up. */
function containerUp(draft: Draft): void {
  const { host } = draft.snapshot;
  const cell = host && hostObservations.RUNTIME_ONLINE[host.state];
  if (!cell || !('enters' in cell) || isRemoving(host)) return;
  const operationId = host.operation?.id ?? null;
  enterHost(draft, host, cell.enters, { trigger: 'RUNTIME_ONLINE', operationId });
  endHostOperation(draft, host, cell.enters);
}

/** Can the restart continue on this host? If not, its operation fails. */
function isHostReady(draft: Draft, instance: InstanceSnapshot): boolean {
  const { host } = draft.snapshot;
  if (host?.state === 'RUNNING' && !isRemoving(host)) return true;
  const where = host ? `host ${host.key} is ${host.state}` : 'it has no host';
  const message = `The restart could not go on: ${where}.`;
  draft.end(instance, 'FAILED', failureAt(instance.state, 'HOST_NOT_READY', message));
  draft.instance(instance, null);
  return false;
}

/** Enters an error state with the cause, and ends the operation. */
function fail(
  draft: Draft,
  instance: InstanceSnapshot,
  { to, trigger, observation }: Observed & { to: InstanceState },
): boolean {
  const failure = failureFrom(instance, observation);
  enterInstance(draft, instance, to, {
    trigger,
    operationId: instance.operation?.id ?? null,
    failure,
    set: observation.kind === 'RUNTIME_GONE' ? { runtimeGone: true } : {},
  });
  const expired = observation.kind === 'INSTANCE_DEADLINE' && !observation.kill;
  if (!rollBack(draft, instance, failure)) {
    const status = expired ? 'TIMED_OUT' : 'FAILED';
    endInstanceOperation(draft, instance, to, { failure, status });
  }
  return true;
}
