/** Collects the writes of one decision. It does not outlive the decision. */
import type {
  Change,
  DecisionContext,
  HostSnapshot,
  HostUpdate,
  InstanceSnapshot,
  InstanceUpdate,
  NewOperation,
  NewRuntimeCommand,
  NewWork,
  OperationUpdate,
  RuntimeCommandKind,
  Snapshot,
  WorkKind,
} from './change.ts';
import type { HostState } from './host.ts';
import { type InstanceState, isAtRest, isError } from './instance.ts';
import type {
  ActiveOperation,
  OperationKind,
  OperationStatus,
  RuntimeUpdate,
} from './operation.ts';

/** Fields of an instance that a decision may set. */
export type InstanceSet = Partial<
  Pick<
    InstanceUpdate,
    | 'desired'
    | 'reachability'
    | 'failure'
    | 'beginRun'
    | 'image'
    | 'runtimeGone'
    | 'endpoints'
    | 'archive'
    | 'operationId'
    | 'causedBy'
    | 'details'
  >
>;
/** Fields of a host that a decision may set. */
export type HostSet = Partial<
  Pick<
    HostUpdate,
    | 'failure'
    | 'failedStage'
    | 'removing'
    | 'handle'
    | 'address'
    | 'imageDigest'
    | 'archive'
    | 'operationId'
    | 'causedBy'
    | 'details'
  >
>;

const instanceWork: readonly WorkKind[] = [
  'START_RUNTIME',
  'STOP_RUNTIME',
  'KILL_RUNTIME',
  'WATCH_RUNTIME',
  'CONTINUE_RESTART',
  'PULL_IMAGE',
  'PULL_DEADLINE',
  'INSTANCE_DEADLINE',
];

export class Draft {
  private readonly updates = new Map<string, InstanceUpdate | HostUpdate>();
  private readonly begins: NewOperation[] = [];
  private readonly operations = new Map<string, OperationUpdate>();
  private readonly work = new Map<string, NewWork>();
  private readonly dropped = new Map<string, Set<WorkKind>>();
  private readonly commands: NewRuntimeCommand[] = [];
  private returned: string | null = null;
  readonly snapshot: Snapshot;
  readonly context: DecisionContext;

  constructor(snapshot: Snapshot, context: DecisionContext) {
    this.snapshot = snapshot;
    this.context = context;
  }

  /** Updates an instance: its transition (one a change at most) and other fields. */
  instance(instance: InstanceSnapshot, to: InstanceState | null, set: InstanceSet = {}): void {
    const known = this.updates.get(instance.id) as InstanceUpdate | undefined;
    const update: InstanceUpdate = known ?? { kind: 'INSTANCE', ...unchanged(instance) };
    if (to) {
      update.to = to;
      this.enterInstance(instance, to, set);
    }
    Object.assign(update, set);
    if (update.desired === instance.desired) update.desired = undefined;
    this.updates.set(instance.id, update);
  }

  /** Entering a state sets its deadline and drops the work of the previous state. */
  private enterInstance(instance: InstanceSnapshot, to: InstanceState, set: InstanceSet): void {
    this.drop(instance.id, instanceWork);
    const seconds = this.context.deadlines.instance[to];
    const entered = { ...instance, sequence: instance.sequence + 1 };
    const runId = set.beginRun ?? instance.runId;
    const operationId = set.operationId ?? instance.operation?.id ?? null;
    if (seconds !== undefined) {
      this.addWork('INSTANCE_DEADLINE', entered, { operationId, runId, dueInSeconds: seconds });
    }
    if (!isAtRest(to) && !isError(to) && to !== 'STARTING_RUNTIME') {
      this.addWork('WATCH_RUNTIME', entered, { operationId, runId, dueInSeconds: 0.5 });
    }
    const runtimeGone = set.runtimeGone ?? (instance.runtimeGone && !set.beginRun);
    if (isError(to) && !runtimeGone) {
      this.addWork('KILL_RUNTIME', entered, { operationId: null, runId, dueInSeconds: 0 });
    }
  }

  host(host: HostSnapshot, to: HostState | null, set: HostSet = {}): void {
    const known = this.updates.get(host.id) as HostUpdate | undefined;
    const update: HostUpdate = known ?? { kind: 'HOST', ...unchanged(host) };
    if (to) {
      update.to = to;
      const seconds = this.context.deadlines.host[to];
      this.drop(host.id, ['HOST_DEADLINE']);
      if (seconds !== undefined) {
        this.addWork(
          'HOST_DEADLINE',
          { ...host, sequence: host.sequence + 1 },
          { operationId: set.operationId ?? host.operation?.id ?? null, dueInSeconds: seconds },
        );
      }
    }
    Object.assign(update, set);
    this.updates.set(host.id, update);
  }

  /** Begins an operation and returns its id. */
  begin(
    kind: OperationKind,
    resource: InstanceSnapshot | HostSnapshot,
    options: {
      parentId?: string | null;
      phase?: string;
      status?: NewOperation['status'];
      update?: RuntimeUpdate | undefined;
      returned?: true;
    } = {},
  ): string {
    const id = this.context.newId();
    this.begins.push({
      id,
      kind,
      resource: kindOf(resource),
      resourceId: resource.id,
      status: options.status ?? 'RUNNING',
      phase: options.phase ?? null,
      parentId: options.parentId ?? null,
      update: options.update ?? null,
    });
    if (options.returned) this.returned = id;
    return id;
  }

  /** Updates the status of an operation in the statement that writes its transition. */
  operation(
    operation: ActiveOperation,
    resource: InstanceSnapshot | HostSnapshot,
    status: OperationStatus,
    rest: Pick<OperationUpdate, 'phase' | 'failure' | 'update'> = {},
  ): void {
    this.operations.set(operation.id, {
      id: operation.id,
      resource: kindOf(resource),
      resourceId: resource.id,
      status,
      ...rest,
    });
  }

  /** Ends the active operation of a resource, where it has one. */
  end(
    resource: InstanceSnapshot | HostSnapshot,
    status: Exclude<OperationStatus, 'QUEUED' | 'RUNNING'>,
    failure?: OperationUpdate['failure'],
  ): void {
    if (resource.operation) {
      this.operation(resource.operation, resource, status, failure ? { failure } : {});
    }
  }

  addWork(
    kind: WorkKind,
    resource: InstanceSnapshot | HostSnapshot,
    options: { operationId?: string | null; runId?: string | null; dueInSeconds?: number } = {},
  ): void {
    this.dropped.get(resource.id)?.delete(kind);
    this.work.set(`${resource.id} ${kind}`, {
      kind,
      resource: kindOf(resource),
      resourceId: resource.id,
      operationId: options.operationId ?? null,
      runId: options.runId ?? ('runId' in resource ? resource.runId : null),
      sequence: resource.sequence,
      driver: this.snapshot.host?.driver ?? null,
      dueInSeconds: options.dueInSeconds ?? 0,
    });
  }

  drop(resourceId: string, kinds: readonly WorkKind[]): void {
    const dropped = this.dropped.get(resourceId) ?? new Set();
    for (const kind of kinds) {
      dropped.add(kind);
      this.work.delete(`${resourceId} ${kind}`);
    }
    this.dropped.set(resourceId, dropped);
  }

  command(
    kind: RuntimeCommandKind,
    instance: InstanceSnapshot,
    payload: Record<string, unknown> = {},
  ): void {
    if (!instance.runId) return;
    this.commands.push({
      id: this.context.newId(),
      kind,
      instanceId: instance.id,
      runId: instance.runId,
      payload,
    });
  }

  done(): Change {
    const host = this.snapshot.host;
    return {
      actor: this.context.actor,
      reason: this.context.reason,
      hostGuard: host && !this.updates.has(host.id) ? { id: host.id, guard: host.guard } : null,
      guards: this.snapshot.instances
        .filter(({ id }) => !this.updates.has(id))
        .map(({ id, guard }) => ({ id, guard })),
      updates: [...this.updates.values()],
      begins: this.begins,
      operations: [...this.operations.values()],
      work: [...this.work.values()],
      dropped: [...this.dropped]
        .filter(([, kinds]) => kinds.size > 0)
        .map(([resourceId, kinds]) => ({ resourceId, kinds: [...kinds] })),
      commands: this.commands,
      operationId: this.returned,
    };
  }
}

function kindOf(resource: InstanceSnapshot | HostSnapshot): 'INSTANCE' | 'HOST' {
  return 'desired' in resource ? 'INSTANCE' : 'HOST';
}

/** An update in which nothing is set yet. */
function unchanged<State>(resource: { id: string; guard: number; state: State; sequence: number }) {
  const { id, guard, state: from, sequence } = resource;
  return { id, guard, from, sequence, to: null, operationId: null, causedBy: null, details: {} };
}
