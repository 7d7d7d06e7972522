/** Lifecycle commands of users: found, checked, decided, written; the work is not waited for. */
import type { Actor } from '../lifecycle/change.ts';
import { Draft } from '../lifecycle/draft.ts';
import { type Refusal, refuse } from '../lifecycle/errors.ts';
import type { HostAction } from '../lifecycle/host.ts';
import { decideHostCommand } from '../lifecycle/host-commands.ts';
import type { InstanceAction } from '../lifecycle/instance.ts';
import { decideInstanceCommand } from '../lifecycle/instance-commands.ts';
import { isCancellable } from '../lifecycle/operation.ts';
import { isId, isKey } from './checks.ts';
import type { Idempotency } from './door.ts';
import { decide, type Store } from './store.ts';
import { hostWorld, instanceWorld, type StoredWorld } from './world.ts';

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
  | { readonly outcome: 'ACCEPTED'; readonly resourceId: string; readonly operationId: string }
  | {
      readonly outcome: 'REFUSED';
      readonly refusal: Refusal;
      /** As it was when the command was refused; null for an operation's. */
      readonly world: StoredWorld | null;
    }
  | { readonly outcome: 'INVALID'; readonly issues: { path: string; message: string }[] }
  | { readonly outcome: 'NOT_FOUND'; readonly kind: string; readonly reference: string }
  | {
      readonly outcome: 'CONFLICT';
      readonly code: 'VERSION_CONFLICT' | 'IDEMPOTENCY_CONFLICT';
      readonly message: string;
      readonly currentVersion: number | null;
      readonly currentSequence: number | null;
    };

const starts: readonly InstanceAction[] = ['DEPLOY', 'START', 'RESTART'];

/** Commands an instance. Every refusal has written nothing. */
export async function commandInstance(
  store: Store,
  action: Exclude<InstanceAction, 'DELETE'>,
  command: Command,
): Promise<CommandResult> {
  const known = await remembered(store, command);
  if (known) return known;
  const found = await find<{ id: string; edition: string; published: boolean }>(store, command, {
    byId: FIND_INSTANCE,
    byKey: FIND_INSTANCE_BY_KEY,
  });
  if (!found) return { outcome: 'NOT_FOUND', kind: 'Instance', reference: command.reference };
  if (starts.includes(action)) {
    const issues = startIssues(found);
    if (issues.length) return { outcome: 'INVALID', issues };
  }
  return run(store, command, () => instanceWorld(store, found.id), {
    sequenceOf: (world) => world.instances[0]?.sequence ?? 0,
    rule: (world, context) => decideInstanceCommand(world, action, context),
    resourceId: found.id,
  });
}

/** Commands a host. Every refusal has written nothing. */
export async function commandHost(
  store: Store,
  action: Exclude<HostAction, 'DELETE'>,
  command: Command,
): Promise<CommandResult> {
  const known = await remembered(store, command);
  if (known) return known;
  const found = await find<{ id: string }>(store, command, {
    byId: FIND_HOST,
    byKey: FIND_HOST_BY_KEY,
  });
  if (!found) return { outcome: 'NOT_FOUND', kind: 'Host', reference: command.reference };
  return run(store, command, () => hostWorld(store, found.id), {
    sequenceOf: (world) => world.host?.sequence ?? 0,
    rule: (world, context) => decideHostCommand(world, action, context),
    resourceId: found.id,
  });
}

/** Cancels an operation that is still waiting: QUEUED, untouched. `reference` is its uuid. */
export async function cancelOperation(store: Store, command: Command): Promise<CommandResult> {
  const known = await remembered(store, command);
  if (known) return known;
  const found = await find<{
    id: string;
    kind: string;
    status: string;
    instanceId: string | null;
    hostId: string | null;
  }>(store, command, {
    byId: `select id, kind, status, instance_id as "instanceId", host_id as "hostId"
             from operations where organization_id = $1::uuid and id = $2::uuid`,
    byKey: null,
  });
  if (!found) return { outcome: 'NOT_FOUND', kind: 'Operation', reference: command.reference };
  const { instanceId } = found;
  const remedy = instanceId
    ? 'Stop the instance by force: stopInstance(force: true).'
    : 'Remove the host by force: removeHost(force: true).';
  const refusal = refuse(
    'NOT_CANCELLABLE',
    ['QUEUED', 'RUNNING'].includes(found.status)
      ? `${found.kind} has begun and cannot be cancelled. ${remedy}`
      : `${found.kind} is over (${found.status}); there is nothing to cancel.`,
    { operationId: found.id },
  );
  if (!instanceId) return { outcome: 'REFUSED', refusal, world: null };
  return run(store, command, () => instanceWorld(store, instanceId), {
    sequenceOf: () => command.expectedSequence ?? 0,
    rule: (world, context) => {
      const instance = world.instances[0];
      const { operation } = instance ?? {};
      if (!instance || operation?.id !== found.id || !isCancellable(operation)) return refusal;
      const draft = new Draft(world, context);
      draft.end(instance, 'CANCELLED');
      draft.instance(instance, null, { operationId: found.id, desired: 'STOPPED' });
      return { ...draft.done(), operationId: found.id };
    },
    resourceId: instanceId,
  });
}

const FIND_INSTANCE = /* sql */ `
select i.id, i.edition,
       i.solution_version_id is not null or exists (
         select from solution_versions v where v.solution_id = i.solution_id) as published
  from instances i
 where i.organization_id = $1::uuid and i.archived_at is null
   and i.id = $2::uuid`;
const FIND_INSTANCE_BY_KEY = FIND_INSTANCE.replace('i.id = $2::uuid', 'i.key = $2');

const FIND_HOST = /* sql */ `
select id from hosts
 where organization_id = $1::uuid and archived_at is null and id = $2::uuid`;
const FIND_HOST_BY_KEY = FIND_HOST.replace('id = $2::uuid', 'key = $2');

/** Runs the query that fits the reference; none where it is neither an id nor a key. */
async function find<Found extends object>(
  store: Store,
  { organizationId, reference }: Command,
  queries: { readonly byId: string; readonly byKey: string | null },
): Promise<Found | null> {
  const text = isId(reference) ? queries.byId : isKey(reference) ? queries.byKey : null;
  if (!text) return null;
  const [row] = await store.database.query<Found>(text, [organizationId, reference]);
  return row ?? null;
}

function startIssues(instance: {
  edition: string;
  published: boolean;
}): { path: string; message: string }[] {
  const issues: { path: string; message: string }[] = [];
  if (!instance.published) {
    issues.push({
      path: 'input.instance',
      message:
        'Its solution has no published version. Publish one with publishSolutionVersion, then start again.',
    });
  }
  if (instance.edition === 'CLUSTER') {
    issues.push({
      path: 'input.instance',
      message:
        'The Cluster edition needs a host on a cluster, and this server has no cluster driver. Use the App or Container edition.',
    });
  }
  return issues;
}

async function run(
  store: Store,
  command: Command,
  load: () => Promise<StoredWorld | null>,
  what: {
    sequenceOf: (world: StoredWorld) => number;
    rule: Parameters<typeof decide<StoredWorld>>[2];
    resourceId: string;
  },
): Promise<CommandResult> {
  let conflict: number | null = null;
  const decided = await decide(
    store,
    load,
    (world, context) => {
      const sequence = what.sequenceOf(world);
      conflict = null;
      if (command.expectedSequence !== null && command.expectedSequence !== sequence) {
        conflict = sequence;
        return null;
      }
      return what.rule(world, context);
    },
    {
      actor: command.actor,
      reason: command.reason,
      ...(command.idempotency ? { idempotency: command.idempotency } : {}),
      lostTo: () => remembered(store, command),
    },
  );
  if (decided.outcome === 'REFUSED' || decided.outcome === 'NOTHING') {
    // The same key may have been accepted a moment ago: then this is its repeat, not a refusal.
    const known = await remembered(store, command);
    if (known) return known;
  }
  switch (decided.outcome) {
    case 'WRITTEN':
      return {
        outcome: 'ACCEPTED',
        resourceId: what.resourceId,
        operationId: decided.change.operationId ?? '',
      };
    case 'REFUSED':
      return { outcome: 'REFUSED', refusal: decided.refusal, world: decided.world };
    case 'LOST':
      return decided.to as CommandResult;
    case 'NOTHING':
      return {
        outcome: 'CONFLICT',
        code: 'VERSION_CONFLICT',
        message: `The sequence is ${conflict}, not ${command.expectedSequence}: its state has changed since. Read it again, then decide.`,
        currentVersion: null,
        currentSequence: conflict,
      };
    case 'NOT_FOUND':
      return { outcome: 'NOT_FOUND', kind: 'Resource', reference: command.reference };
    default:
      return decided satisfies never;
  }
}

/** What the same idempotency key was answered in the last 24 hours, if anything. */
async function remembered(store: Store, command: Command): Promise<CommandResult | null> {
  const { idempotency } = command;
  if (!idempotency) return null;
  const [row] = await store.database.query<{
    inputHash: string;
    operationId: string | null;
    resourceId: string;
    expired: boolean;
  }>(
    `select k.input_hash as "inputHash", k.operation_id as "operationId",
            coalesce(o.instance_id, o.host_id, k.resource_id) as "resourceId",
            k.created_at < clock_timestamp() - interval '24 hours' as expired
       from idempotency_keys k left join operations o on o.id = k.operation_id
      where k.organization_id = $1::uuid and k.caller = $2 and k.field = $3 and k.key = $4`,
    [command.organizationId, idempotency.caller, idempotency.field, idempotency.key],
  );
  if (!row) return null;
  if (row.expired) {
    await store.database.query(
      `delete from idempotency_keys
        where organization_id = $1::uuid and caller = $2 and field = $3 and key = $4
          and created_at < clock_timestamp() - interval '24 hours'`,
      [command.organizationId, idempotency.caller, idempotency.field, idempotency.key],
    );
    return null;
  }
  if (row.inputHash === idempotency.inputHash && row.operationId) {
    return { outcome: 'ACCEPTED', resourceId: row.resourceId, operationId: row.operationId };
  }
  return {
    outcome: 'CONFLICT',
    code: 'IDEMPOTENCY_CONFLICT',
    message:
      'This idempotencyKey was used with another input in the last 24 hours. Use a new key for a new command.',
    currentVersion: null,
    currentSequence: null,
  };
}
