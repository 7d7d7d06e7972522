import { describe, expect, test } from 'vitest';
import {
  type HostAction,
  type HostState,
  hostActions,
  hostEdges,
  hostStateFacts,
  hostStates,
} from '../../src/lifecycle/host.ts';
import { allowedHostActions, decideHostCommand } from '../../src/lifecycle/host-commands.ts';
import { instanceStates } from '../../src/lifecycle/instance.ts';
import { apply, context, host, instance, operation } from './model.ts';

const ILL = 'ILLEGAL_TRANSITION';
const ALR = 'ALREADY_IN_STATE';
const REM = 'REMOVE_REQUIRED';
const BUSY = 'OPERATION_IN_PROGRESS';
const busy = [BUSY, BUSY, BUSY, BUSY, 'ok', ILL];

/** deployHost, restartHost, restartContainer, removeHost, removeHost(force), delete, billed. */
const table: Record<HostState, readonly [...string[], boolean]> = {
  OFFLINE: ['DEPLOYING', ILL, ILL, ILL, ILL, 'ok', false],
  DEPLOYING: [...busy, false],
  CONFIGURING_DNS: [...busy, true],
  DEPLOYING_CONTAINER: [...busy, true],
  STARTING_CONTAINER: [...busy, true],
  RUNNING: [ALR, 'RESTARTING_HOST', 'RESTARTING_CONTAINER', 'ok', 'ok', ILL, true],
  RESTARTING_HOST: [...busy, true],
  RESTARTING_CONTAINER: [...busy, true],
  FAILED_DEPLOYMENT: [REM, REM, REM, 'ok', 'ok', ILL, false],
  FAILED_HEALTH_CHECK: [ILL, 'RESTARTING_HOST', ILL, 'ok', 'ok', ILL, true],
};
const order: HostAction[] = [
  'DEPLOY',
  'RESTART',
  'RESTART_CONTAINER',
  'REMOVE',
  'FORCE_REMOVE',
  'DELETE',
];
const isTransient = (state: HostState) => hostStateFacts[state].class === 'TRANSIENT';
const activeIn = (state: HostState) => (isTransient(state) ? operation('DEPLOY_HOST') : null);

describe.each(hostStates)('%s', (state) => {
  test.each(order)('%s', (action) => {
    const expected = table[state][order.indexOf(action)];
    const snapshot = { host: host(state, { operation: activeIn(state) }), instances: [] };
    const result = decideHostCommand(snapshot, action, context());
    if ('refused' in result) {
      expect(result.refused).toBe(expected);
      return;
    }
    const next = apply(snapshot, result);
    expect(next.host?.state).toBe(expected === 'ok' ? state : expected);
    if (action === 'REMOVE' || action === 'FORCE_REMOVE') {
      expect(next.host?.operation?.kind).toBe('REMOVE_HOST');
      expect(result.updates[0]).toMatchObject({ removing: true });
    }
  });

  test('billed', () => expect(hostStateFacts[state].billed).toBe(table[state].at(-1)));

  test('allowedActions is exactly what is accepted', () => {
    for (const operations of [null, operation('REMOVE_HOST'), operation('RESTART_HOST')]) {
      const on = host(state, { operation: operations });
      const snapshot = { host: on, instances: [] };
      const accepted = hostActions.filter(
        (action) => !('refused' in decideHostCommand(snapshot, action, context())),
      );
      expect(allowedHostActions(on, [])).toEqual(accepted);
    }
  });
});

test('removeHost with live instances is refused unless forced', () => {
  const live = [
    'STARTING_RUNTIME',
    'INITIALIZING',
    'STARTING',
    'RUNNING',
    'PAUSING',
    'PAUSED',
    'STOPPING',
  ];
  for (const on of ['RUNNING', 'FAILED_HEALTH_CHECK'] as const) {
    for (const state of instanceStates) {
      const snapshot = {
        host: host(on),
        instances: [
          instance(state, {
            operation: live.includes(state) ? operation('START_INSTANCE') : null,
          }),
        ],
      };
      const result = decideHostCommand(snapshot, 'REMOVE', context());
      const forced = decideHostCommand(snapshot, 'FORCE_REMOVE', context());
      if (live.includes(state)) {
        expect(result).toMatchObject({ refused: 'HOST_HAS_LIVE_INSTANCES' });
      } else {
        expect(result).not.toHaveProperty('refused');
      }
      if ('refused' in forced) throw new Error(forced.message);
      const next = apply(snapshot, forced);
      expect(next.instances[0]?.state).toBe(live.includes(state) ? 'STOPPING' : state);
    }
  }
});

test("every deadline's target is an edge, and no edge is there twice", () => {
  for (const state of hostStates) {
    const { deadline } = hostStateFacts[state];
    for (const to of [deadline?.onExpiry, deadline?.ifItAnswers]) {
      if (to) expect(hostEdges).toContainEqual(expect.objectContaining({ from: state, to }));
    }
  }
  expect(new Set(hostEdges.map(({ from, to }) => `${from} ${to}`)).size).toBe(hostEdges.length);
});
