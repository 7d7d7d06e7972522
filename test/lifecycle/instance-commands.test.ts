import { describe, expect, test } from 'vitest';
import { hostStates } from '../../src/lifecycle/host.ts';
import {
  errorInstanceStates,
  type InstanceAction,
  type InstanceState,
  instanceActions,
  instanceEdges,
  instanceStateFacts,
  instanceStates,
  transientInstanceStates,
} from '../../src/lifecycle/instance.ts';
import {
  allowedInstanceActions,
  decideInstanceCommand,
} from '../../src/lifecycle/instance-commands.ts';
import { apply, context, host, instance, operation } from './model.ts';

const ILL = 'ILLEGAL_TRANSITION';
const ALR = 'ALREADY_IN_STATE';
const RST = 'RESTART_REQUIRED';
type Expected = InstanceState | 'no row' | 'archived' | typeof ILL | typeof ALR | typeof RST;

const error: Record<string, Expected> = {
  START: RST,
  RESUME: RST,
  PAUSE: RST,
  STOP: RST,
  FORCE_STOP: RST,
  RESTART: 'STARTING_RUNTIME',
  UPDATE_RUNTIME: 'STARTING_RUNTIME',
  DETACH: 'OFFLINE',
  DELETE: ILL,
};

/** The table of the contract, written out once more: the code must not be its own proof. */
const table: Record<string, Record<string, Expected>> = {
  OFFLINE: {
    START: 'STARTING_RUNTIME',
    RESUME: ILL,
    PAUSE: ILL,
    STOP: ILL,
    FORCE_STOP: ILL,
    RESTART: ILL,
    UPDATE_RUNTIME: 'no row',
    DETACH: 'no row',
    DELETE: 'archived',
  },
  RUNNING: {
    START: ALR,
    RESUME: ALR,
    PAUSE: 'PAUSING',
    STOP: 'STOPPING',
    FORCE_STOP: 'STOPPING',
    RESTART: 'STOPPING',
    UPDATE_RUNTIME: 'no row',
    DETACH: ILL,
    DELETE: ILL,
  },
  PAUSED: {
    START: 'STARTING',
    RESUME: 'STARTING',
    PAUSE: ALR,
    STOP: 'STOPPING',
    FORCE_STOP: 'STOPPING',
    RESTART: 'STOPPING',
    UPDATE_RUNTIME: 'no row',
    DETACH: ILL,
    DELETE: ILL,
  },
  STOPPED: {
    START: 'STARTING_RUNTIME',
    RESUME: ILL,
    PAUSE: ILL,
    STOP: ALR,
    FORCE_STOP: ALR,
    RESTART: 'STARTING_RUNTIME',
    UPDATE_RUNTIME: 'no row',
    DETACH: 'OFFLINE',
    DELETE: ILL,
  },
  FAILED_TO_INITIALIZE: error,
  FAILED_TO_START: error,
  FATAL_ERROR: error,
};

const cells = Object.entries(table).flatMap(([state, row]) =>
  Object.entries({ ...row, DEPLOY: row.START as Expected }).map(
    ([action, expected]) => [state as InstanceState, action as InstanceAction, expected] as const,
  ),
);

const decided = (
  state: InstanceState,
  action: InstanceAction,
  on: Parameters<typeof host>,
  rest: Parameters<typeof instance>[1] = {},
) => {
  const snapshot = {
    host: host(...on),
    instances: [instance(state, { runtimeGone: true, ...rest })],
  };
  return { snapshot, result: decideInstanceCommand(snapshot, action, context()) };
};

describe('commands by state, host RUNNING, no operation active', () => {
  test.each(cells)('%s %s is %s', (state, action, expected) => {
    const { snapshot, result } = decided(state, action, ['RUNNING'], {
      ...(instanceStateFacts[state].class === 'LIVE' ? { runtimeGone: false } : {}),
    });
    if ([ILL, ALR, RST].includes(expected)) {
      expect(result).toMatchObject({ refused: expected });
      expect((result as { message: string }).message.length).toBeGreaterThan(20);
      return;
    }
    if ('refused' in result) throw new Error(result.message);
    const next = apply(snapshot, result);
    const update = result.updates.find(({ id }) => id === 'instance');
    if (expected === 'archived') expect(update).toMatchObject({ archive: true, to: null });
    else if (expected === 'no row') expect(update).toMatchObject({ to: null });
    else expect(next.instances[0]?.state).toBe(expected);
    if (expected !== 'archived') expect(result.operationId).toBeTruthy();
  });
});

describe('while an operation is active', () => {
  const busy = [
    ...transientInstanceStates.map((state) => [state, 'START_INSTANCE'] as const),
    ['STOPPED', 'RESTART_INSTANCE'] as const,
    ['OFFLINE', 'DEPLOY_INSTANCE'] as const,
  ];
  test.each(busy)('%s (%s): everything is refused but a forced stop', (state, kind) => {
    for (const on of hostStates) {
      if (state !== 'OFFLINE' && (on === 'OFFLINE' || on === 'FAILED_DEPLOYMENT')) continue;
      for (const action of instanceActions) {
        const { snapshot, result } = decided(state, action, [on], {
          operation: operation(kind, kind === 'DEPLOY_INSTANCE' ? { status: 'QUEUED' } : {}),
          runtimeGone: instanceStateFacts[state].class === 'AT_REST',
        });
        if (action !== 'FORCE_STOP') {
          expect(result).toMatchObject({
            refused: 'OPERATION_IN_PROGRESS',
            operationId: `op-${kind}`,
          });
          continue;
        }
        if ('refused' in result) throw new Error(result.message);
        expect(result.operations).toMatchObject([{ id: `op-${kind}`, status: 'SUPERSEDED' }]);
        const next = apply(snapshot, result).instances[0];
        expect(next?.desired).toBe('STOPPED');
        const entered = ['STOPPING', 'STOPPED', 'OFFLINE'].includes(state) ? state : 'STOPPING';
        expect(next?.state).toBe(entered);
        if (state === 'STOPPING') {
          expect(result.work).toMatchObject([{ kind: 'KILL_RUNTIME', dueInSeconds: 0 }]);
        }
      }
    }
  });
});

describe('the host is asked', () => {
  const asks: InstanceAction[] = ['START', 'PAUSE', 'RESUME', 'STOP', 'RESTART'];
  const notRunning = hostStates.filter((state) => state !== 'RUNNING');

  test.each(notRunning)('host %s: HOST_NOT_READY in every state', (on) => {
    for (const state of [
      'OFFLINE',
      'RUNNING',
      'PAUSED',
      'STOPPED',
      ...errorInstanceStates,
    ] as const) {
      if ((on === 'OFFLINE' || on === 'FAILED_DEPLOYMENT') && state !== 'OFFLINE') continue;
      for (const action of asks) {
        const { result } = decided(state, action, [on]);
        expect(result).toMatchObject({
          refused: 'HOST_NOT_READY',
          blockedBy: { kind: 'HOST', id: 'host' },
        });
      }
      for (const action of ['DETACH', 'DELETE'] as const) {
        const { result } = decided(state, action, [on]);
        expect(result).not.toMatchObject({ refused: 'HOST_NOT_READY' });
      }
    }
  });

  test('no host: HOST_NOT_READY, nothing in the way, assign one', () => {
    const snapshot = { host: null, instances: [instance('OFFLINE', { hostId: null })] };
    for (const action of [...asks, 'DEPLOY'] as const) {
      expect(decideInstanceCommand(snapshot, action, context())).toMatchObject({
        refused: 'HOST_NOT_READY',
        blockedBy: null,
      });
    }
  });

  test('a host that is being removed is not ready, though it is RUNNING', () => {
    const removing = operation('REMOVE_HOST');
    const { result } = decided('STOPPED', 'START', ['RUNNING', { operation: removing }]);
    expect(result).toMatchObject({ refused: 'HOST_NOT_READY', operationId: removing.id });
  });
});

describe('deployInstance', () => {
  test('host OFFLINE: deploys the host as a child and waits for it', () => {
    const { snapshot, result } = decided('OFFLINE', 'DEPLOY', ['OFFLINE']);
    if ('refused' in result) throw new Error(result.message);
    const next = apply(snapshot, result);
    expect(next.host).toMatchObject({ state: 'DEPLOYING', operation: { kind: 'DEPLOY_HOST' } });
    expect(next.host?.operation?.parentId).toBe(result.operationId);
    expect(next.instances[0]).toMatchObject({
      state: 'OFFLINE',
      operation: { kind: 'DEPLOY_INSTANCE', status: 'QUEUED', phase: 'WAITING_FOR_HOST' },
    });
  });

  test('a deployment under way is named; any other host state is HOST_NOT_READY', () => {
    const deploying = operation('DEPLOY_HOST');
    for (const on of hostStates) {
      if (on === 'OFFLINE' || on === 'RUNNING') continue;
      const busy = decided('OFFLINE', 'DEPLOY', [on, { operation: deploying }]).result;
      expect(busy).toMatchObject({ refused: 'OPERATION_IN_PROGRESS', operationId: deploying.id });
      const other = decided('OFFLINE', 'DEPLOY', [on]).result;
      expect(other).toMatchObject({ refused: 'HOST_NOT_READY' });
    }
  });
});

test('allowedActions is exactly what is accepted, in every state of both', () => {
  const operations = [null, operation('START_INSTANCE'), operation('DETACH_INSTANCE')];
  const hostOperations = [null, operation('DEPLOY_HOST'), operation('REMOVE_HOST')];
  for (const state of instanceStates) {
    for (const on of hostStates) {
      for (const active of operations) {
        for (const hostOperation of hostOperations) {
          const each = instance(state, { operation: active });
          const snapshot = { host: host(on, { operation: hostOperation }), instances: [each] };
          const accepted = instanceActions.filter(
            (action) => !('refused' in decideInstanceCommand(snapshot, action, context())),
          );
          expect(allowedInstanceActions(each, snapshot.host)).toEqual(accepted);
        }
      }
    }
  }
});

test("every deadline's target is an edge", () => {
  for (const state of instanceStates) {
    const { deadline } = instanceStateFacts[state];
    if (!deadline) continue;
    expect(instanceEdges).toContainEqual(
      expect.objectContaining({ from: state, to: deadline.onExpiry }),
    );
  }
});

test('the closed set: never legal', () => {
  const has = (from: string, to: string) =>
    instanceEdges.some((edge) => edge.from === from && edge.to === to);
  for (const state of instanceStates) expect(has(state, state)).toBe(false);
  expect(has('STARTING', 'FATAL_ERROR')).toBe(false);
  expect(has('RUNNING', 'FAILED_TO_START')).toBe(false);
  expect(has('RUNNING', 'FAILED_TO_INITIALIZE')).toBe(false);
  expect(has('OFFLINE', 'RUNNING')).toBe(false);
  for (const state of errorInstanceStates) expect(has(state, 'RUNNING')).toBe(false);
  expect(new Set(instanceEdges.map(({ from, to }) => `${from} ${to}`)).size).toBe(
    instanceEdges.length,
  );
});
