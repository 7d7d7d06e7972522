/** A store in memory: applies changes as Postgres would, and refuses what Postgres refuses. */
import {
  type Change,
  type DecisionContext,
  defaultDeadlines,
  type HostSnapshot,
  type InstanceSnapshot,
  type Snapshot,
} from '../../src/lifecycle/change.ts';
import { downHostStates, type HostState, hostEdges } from '../../src/lifecycle/host.ts';
import {
  type InstanceState,
  instanceEdges,
  instanceStateFacts,
} from '../../src/lifecycle/instance.ts';
import { hostMeter, instanceMeter } from '../../src/lifecycle/metering.ts';
import type { ActiveOperation, OperationKind } from '../../src/lifecycle/operation.ts';

export function host(state: HostState, rest: Partial<HostSnapshot> = {}): HostSnapshot {
  const model = { id: 'host', key: 'host', driver: 'DOCKER' } as const;
  return { ...model, state, sequence: 5, guard: 7, operation: null, ...rest };
}

export function instance(
  state: InstanceState,
  rest: Partial<InstanceSnapshot> = {},
): InstanceSnapshot {
  return {
    id: 'instance',
    key: 'instance',
    hostId: 'host',
    state,
    sequence: 5,
    guard: 9,
    desired: 'RUNNING',
    reachability: 'OK',
    unreachableBecause: null,
    runId: state === 'OFFLINE' ? null : 'run',
    runtimeGone: instanceStateFacts[state].class === 'AT_REST',
    image: { tag: 'old', digest: 'sha256:old' },
    operation: null,
    ...rest,
  };
}

export function operation(
  kind: OperationKind,
  rest: Partial<ActiveOperation> = {},
): ActiveOperation {
  const update =
    kind === 'UPDATE_RUNTIME'
      ? {
          from: { tag: 'old', digest: 'sha256:old' },
          to: { tag: 'new', digest: rest.phase === 'PULLING' ? null : 'sha256:new' },
        }
      : null;
  const active = {
    id: `op-${kind}`,
    kind,
    status: 'RUNNING',
    phase: null,
    parentId: null,
  } as const;
  return { ...active, update, ...rest };
}

let ids = 0;
export const context = (): DecisionContext => ({
  newId: () => {
    ids += 1;
    return `id-${ids}`;
  },
  deadlines: defaultDeadlines,
  actor: { kind: 'USER', name: 'test' },
  reason: null,
});

const isEdge = (edges: readonly { from: string; to: string }[], from: string, to: string) =>
  edges.some((edge) => edge.from === from && edge.to === to);

/** Applies a change; throws where Postgres would refuse it. */
export function apply(snapshot: Snapshot, change: Change): Snapshot {
  const updates = new Map(change.updates.map((update) => [update.id, update]));
  if (updates.size !== change.updates.length) throw new Error('one resource updated twice');
  const operations = new Map<string, ActiveOperation | null>();
  for (const resource of [snapshot.host, ...snapshot.instances]) {
    if (resource) operations.set(resource.id, resource.operation);
  }
  for (const update of change.operations) {
    const active = operations.get(update.resourceId);
    if (active?.id !== update.id) throw new Error(`ends ${update.id}, which is not active`);
    if (!updates.has(update.resourceId)) throw new Error('an operation ends unguarded');
    const goesOn = update.status === 'RUNNING' || update.status === 'QUEUED';
    operations.set(
      update.resourceId,
      goesOn
        ? {
            ...active,
            status: update.status as 'RUNNING',
            phase: update.phase ?? null,
            update: update.update ?? active.update ?? null,
          }
        : null,
    );
  }
  for (const begin of change.begins) {
    if (!updates.has(begin.resourceId)) throw new Error('an operation begins unguarded');
    if (begin.status === 'SUCCEEDED') continue;
    if (operations.get(begin.resourceId)) throw new Error('a second active operation');
    operations.set(begin.resourceId, {
      id: begin.id,
      kind: begin.kind,
      status: begin.status,
      phase: begin.phase,
      parentId: begin.parentId,
      update: begin.update,
    });
  }
  const next: Snapshot = {
    host: snapshot.host && {
      ...snapshot.host,
      ...moved(snapshot.host, updates.get(snapshot.host.id), hostEdges),
      operation: operations.get(snapshot.host.id) ?? null,
    },
    instances: snapshot.instances.map((before) => {
      const update = updates.get(before.id);
      if (update && update.kind !== 'INSTANCE') throw new Error('kinds mixed up');
      return {
        ...before,
        ...moved(before, update, instanceEdges),
        operation: operations.get(before.id) ?? null,
        ...(update?.desired ? { desired: update.desired } : {}),
        ...(update?.reachability
          ? {
              reachability: update.reachability.value,
              unreachableBecause: update.reachability.because,
            }
          : {}),
        ...(update?.beginRun ? { runId: update.beginRun, runtimeGone: false } : {}),
        ...(update?.runtimeGone ? { runtimeGone: true } : {}),
        ...(update?.image ? { image: update.image } : {}),
      } as InstanceSnapshot;
    }),
  };
  checkInvariants(next);
  return next;
}

function moved<S extends HostSnapshot | InstanceSnapshot>(
  before: S,
  update: Change['updates'][number] | undefined,
  edges: readonly { from: string; to: string }[],
): Partial<S> {
  if (!update) return {};
  if (update.guard !== before.guard) throw new Error('another guard than was read');
  if (!update.to) return { guard: before.guard + 1 } as Partial<S>;
  if (!isEdge(edges, before.state, update.to)) {
    throw new Error(`${before.state} → ${update.to} is no edge`);
  }
  return {
    guard: before.guard + 1,
    state: update.to,
    sequence: before.sequence + 1,
  } as unknown as Partial<S>;
}

/** What must hold after every change. The rules: docs/lifecycle.md, "Invariants". */
export function checkInvariants({ host: on, instances }: Snapshot): void {
  for (const each of instances) {
    const facts = instanceStateFacts[each.state];
    if (on && downHostStates.includes(on.state) && each.state !== 'OFFLINE') {
      throw new Error(`${each.state} on a host that is ${on.state}`);
    }
    const settlesWithoutHost = on?.state === 'FAILED_HEALTH_CHECK';
    if (facts.class === 'TRANSIENT' && !each.operation && !settlesWithoutHost) {
      throw new Error(`${each.state} without an active operation`);
    }
    if (facts.class === 'AT_REST' && !each.runtimeGone) {
      throw new Error(`${each.state} though its runtime is not known to be gone`);
    }
    if (instanceMeter(each.state) && facts.class !== 'LIVE') throw new Error('metered at rest');
  }
  if (on && hostMeter(on.state) && downHostStates.includes(on.state)) {
    throw new Error('a host that is down is billed');
  }
}
