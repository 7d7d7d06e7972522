import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/lifecycle/change.ts';
import { hostActions } from '../../src/lifecycle/host.ts';
import { allowedHostActions, decideHostCommand } from '../../src/lifecycle/host-commands.ts';
import { type HostObservation, observeHost } from '../../src/lifecycle/host-observations.ts';
import { instanceActions } from '../../src/lifecycle/instance.ts';
import {
  allowedInstanceActions,
  decideInstanceCommand,
} from '../../src/lifecycle/instance-commands.ts';
import {
  type InstanceObservation,
  observeInstance,
} from '../../src/lifecycle/instance-observations.ts';
import { apply, context, host, instance } from './model.ts';

const failure = {
  code: 'X',
  message: 'x',
  stage: 'x',
  exitCode: null,
  retryable: true,
  logTail: null,
};

const hostObservations: ((snapshot: Snapshot) => HostObservation)[] = [
  () => ({ kind: 'HOST_ONLINE', handle: {}, address: '127.1.1.1' }),
  () => ({ kind: 'DNS_ANSWERS' }),
  () => ({ kind: 'CONTAINER_CREATED', imageDigest: 'd' }),
  () => ({ kind: 'STAGE_FAILED', failure }),
  () => ({ kind: 'HOST_ANSWERS' }),
  () => ({ kind: 'RUNTIMES_GONE', handle: {}, address: '127.1.1.1' }),
  () => ({ kind: 'CONTAINER_UP' }),
  () => ({ kind: 'HOST_CHECKED', answers: true, reason: '' }),
  () => ({ kind: 'HOST_CHECKED', answers: false, reason: 'silent' }),
  () => ({ kind: 'HOST_RELEASED' }),
  ({ host: on }) => ({
    kind: 'HOST_DEADLINE',
    sequence: on?.sequence ?? 0,
    answers: true,
    cause: null,
  }),
  ({ host: on }) => ({
    kind: 'HOST_DEADLINE',
    sequence: on?.sequence ?? 0,
    answers: false,
    cause: failure,
  }),
  ({ host: on }) => ({
    kind: 'REMOVAL_DEADLINE',
    operationId: on?.operation?.id ?? '',
    cause: null,
  }),
];

const completed = (
  command: 'LOAD_SOLUTION' | 'START_LISTENING' | 'PAUSE' | 'RESUME',
  done = true,
) => ({ kind: 'COMMAND_COMPLETED', command, done, message: null, endpoints: [] }) as const;

type OfRun = InstanceObservation extends infer O ? Omit<O & object, 'runId'> : never;
const instanceObservations: ((sequence: number, operationId: string) => OfRun)[] = [
  () => ({ kind: 'RUNTIME_ONLINE' }),
  () => ({ kind: 'RUNTIME_SEEN' }),
  () => ({ kind: 'RUNTIME_SILENT' }),
  () => completed('LOAD_SOLUTION'),
  () => completed('LOAD_SOLUTION', false),
  () => completed('START_LISTENING'),
  () => completed('START_LISTENING', false),
  () => completed('RESUME'),
  () => completed('PAUSE'),
  () => completed('PAUSE', false),
  () => ({ kind: 'RUNTIME_FAULT', message: 'x' }),
  () => ({ kind: 'RUNTIME_GONE', exitCode: 1, signal: null, logTail: '' }),
  () => ({ kind: 'RUNTIME_GONE', exitCode: 0, signal: null, logTail: '' }),
  () => ({ kind: 'START_FAILED', failure }),
  () => ({ kind: 'KILL_UNCONFIRMED', message: 'x' }),
  () => ({ kind: 'RESTART_CONTINUES' }),
  (_, operationId) => ({ kind: 'IMAGE_PULLED', operationId, digest: 'sha256:new' }),
  (_, operationId) => ({ kind: 'PULL_FAILED', operationId, failure }),
  (_, operationId) => ({ kind: 'PULL_DEADLINE', operationId, cause: null }),
  (sequence) => ({ kind: 'INSTANCE_DEADLINE', sequence, cause: null }),
];

type Decided = ReturnType<typeof decideHostCommand> | null;

/** Failures and endings: left out of half of the steps, or nothing would ever get far. */
const isHarsh = (observation: { kind: string; answers?: boolean; done?: boolean }): boolean =>
  /DEADLINE|FAILED|GONE|FAULT|UNCONFIRMED|RELEASED/.test(observation.kind) ||
  observation.answers === false ||
  observation.done === false;

/** Everything that could happen next, each as what it would write. */
function possibilities(snapshot: Snapshot, kind: 'all' | 'gentle'): (() => Decided)[] {
  const { host: on } = snapshot;
  if (!on) return [];
  const each: (() => Decided)[] = [];
  for (const action of hostActions) {
    if (action === 'DELETE' || (kind === 'gentle' && action.endsWith('REMOVE'))) continue;
    each.push(() => {
      const change = decideHostCommand(snapshot, action, context());
      const allowed = allowedHostActions(on, snapshot.instances).includes(action);
      expect(allowed).toBe(!('refused' in change));
      return change;
    });
  }
  for (const observation of hostObservations) {
    if (kind === 'gentle' && isHarsh(observation(snapshot))) continue;
    each.push(() => observeHost(snapshot, observation(snapshot), context()));
  }
  for (const target of snapshot.instances) {
    const one: Snapshot = { host: on, instances: [target] };
    for (const action of instanceActions) {
      if (action === 'DELETE' || (kind === 'gentle' && action === 'FORCE_STOP')) continue;
      each.push(() => {
        const change = decideInstanceCommand(one, action, context());
        expect(allowedInstanceActions(target, on).includes(action)).toBe(!('refused' in change));
        return change;
      });
    }
    for (const observation of instanceObservations) {
      const runId = target.runId ?? 'none';
      const operationId = target.operation?.id ?? 'none';
      if (kind === 'gentle' && isHarsh(observation(target.sequence, operationId))) continue;
      each.push(() =>
        observeInstance(
          one,
          { runId, ...observation(target.sequence, operationId) } as InstanceObservation,
          context(),
        ),
      );
    }
  }
  return each;
}

/** A step is any possibility, or (more often) one of those that change something. */
const step = fc.record({ pick: fc.nat(9_999), fruitful: fc.nat(9) });

const start = fc.constantFrom('OFFLINE' as const, 'RUNNING' as const);

/** The reachable states, so that the test itself is known to go far. */
const reached = new Set<string>();

test('random commands and observations never leave the edges nor break an invariant', () => {
  fc.assert(
    fc.property(start, fc.array(step, { maxLength: 200, size: 'max' }), (on, steps) => {
      let snapshot: Snapshot = {
        host: host(on),
        instances: [
          instance('OFFLINE', { id: 'a', key: 'a', sequence: 0 }),
          instance('OFFLINE', { id: 'b', key: 'b', sequence: 0, desired: 'STOPPED' }),
        ],
      };
      for (const { pick, fruitful } of steps) {
        const all = possibilities(snapshot, fruitful > 3 ? 'gentle' : 'all');
        const first = pick % all.length;
        for (let offset = 0; offset < all.length; offset += 1) {
          const change = all[(first + offset * 7) % all.length]?.() ?? null;
          if (change && !('refused' in change)) {
            snapshot = apply(snapshot, change);
            reached.add(`host ${snapshot.host?.state}`);
            for (const { state } of snapshot.instances) reached.add(state);
            break;
          }
          if (fruitful === 0) break;
        }
      }
    }),
    { numRuns: 300, seed: 20_170_922 },
  );
  expect(reached.size).toBe(22);
});
