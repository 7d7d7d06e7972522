/** The cells of observations, and what a host does to its instances. */
import { hostStates } from '../../src/lifecycle/host.ts';
import { hostObservations } from '../../src/lifecycle/host-table.ts';
import { desiredInstanceStates, instanceStates } from '../../src/lifecycle/instance.ts';
import {
  instanceByHost,
  instanceObservations,
  startsWhereDesired,
} from '../../src/lifecycle/instance-table.ts';
import * as contract from './contract.ts';
import * as drive from './drive.ts';
import { differs, entering, mutable, type Slot, situation, stripped } from './slots.ts';

const operations = [
  { operation: null },
  { operation: 'RESTART_INSTANCE' },
  { operation: 'DETACH_INSTANCE' },
  { operation: 'UPDATE_RUNTIME', phase: 'PULLING' },
  { operation: 'UPDATE_RUNTIME', phase: 'RESTARTING' },
  { operation: 'UPDATE_RUNTIME', phase: 'ROLLING_BACK' },
] as const;

/** Everything that can be true beside an observation. */
const situations: readonly drive.Situation[] = desiredInstanceStates.flatMap((desired) =>
  (['OK', 'UNKNOWN'] as const).flatMap((reachability) =>
    operations.flatMap((operation) =>
      [true, false].flatMap((runtimeGone) =>
        [true, false].map(
          (stale): drive.Situation => ({
            desired,
            reachability,
            ...operation,
            runtimeGone,
            stale,
            kill: 'none',
          }),
        ),
      ),
    ),
  ),
);

/** What the contract says of an observation in a situation. */
export function expectedObserved(name: string, state: string, given: drive.Situation): string {
  const entered = contract.instanceObserved[name]?.[state] ?? '';
  const detaches = given.operation === 'DETACH_INSTANCE';
  if (entered === 'reachability OK') return given.reachability === 'OK' ? '' : entered;
  if (entered === 'reachability UNKNOWN') return given.reachability === 'OK' ? entered : '';
  if (entered === 'gone') return given.runtimeGone ? '' : detaches ? 'OFFLINE' : entered;
  if (entered === 'detach failed') return detaches ? entered : '';
  const updates = given.operation === 'UPDATE_RUNTIME';
  if (name === 'RESTART_CONTINUES') {
    const goesBack = updates && given.phase === 'ROLLING_BACK';
    const goesOn = updates || given.operation === 'RESTART_INSTANCE';
    return (state === 'STOPPED' ? goesOn : goesBack) ? entered : '';
  }
  if (/^(IMAGE|PULL)_/.test(name) && !updates) return '';
  if (name === 'INSTANCE_DEADLINE') {
    if (given.stale) return '';
    if (state === 'STOPPING' && given.kill !== 'confirmed') return 'FATAL_ERROR with its cause';
  }
  if (name === 'START_LISTENING_DONE' && entered && given.desired === 'PAUSED') return 'PAUSED';
  const isError = contract.instanceFacts[entered]?.class === 'ERROR';
  return isError ? `${entered} with its cause` : entered;
}

export function observationProblems(
  name: string,
  state: (typeof instanceStates)[number],
): string[] {
  const kills = name === 'INSTANCE_DEADLINE' && state === 'STOPPING';
  const all = kills
    ? situations.flatMap((each) => [
        { ...each, kill: 'confirmed' as const },
        { ...each, kill: 'unconfirmed' as const },
      ])
    : situations;
  return all.flatMap((each) =>
    differs(
      `${name} in ${state} ${JSON.stringify(each)}`,
      drive.instanceObserved(name, state, each),
      expectedObserved(name, state, each),
    ),
  );
}

const instanceEffects = [
  'FAIL',
  'EXPIRE',
  'REACHABLE',
  'UNREACHABLE',
  'CONFIRM_GONE',
  'FAIL_DETACH',
  'FAIL_UPDATE',
].map((effect) => ({ effect }));

export function instanceObservationSlots(): Slot[] {
  return Object.keys(instanceObservations).flatMap((name) =>
    instanceStates.map((state): Slot => {
      const row = mutable(instanceObservations)[name] as Record<string, unknown>;
      return {
        name: `${name} × ${state}`,
        target: row,
        key: state,
        others: [undefined, ...entering(instanceStates), ...instanceEffects],
        behaves: () => observationProblems(name, state),
        reads: () =>
          differs(
            'cell',
            row[state] !== undefined,
            state in (contract.instanceObserved[name] ?? {}),
          ),
        follows: () => {
          const continues = name === 'RESTART_CONTINUES';
          const updates = /^(IMAGE|PULL)_/.test(name) || (continues && state !== 'STOPPED');
          const operation = updates ? 'UPDATE_RUNTIME' : continues ? 'RESTART_INSTANCE' : null;
          const phase = continues ? 'ROLLING_BACK' : 'PULLING';
          return stripped(drive.instanceObserved(name, state, { ...situation, operation, phase }));
        },
      };
    }),
  );
}

const hostEffects = ['EXPIRE', 'LOSE_RUNTIMES', 'FORGET_COMPUTE'].map((effect) => ({ effect }));

export function hostObservationSlots(): Slot[] {
  return Object.keys(hostObservations).flatMap((name) =>
    hostStates.map((state): Slot => {
      const row = mutable(hostObservations)[name] as Record<string, unknown>;
      const entered = contract.hostObserved[name]?.[state] ?? '';
      const removes = name === 'HOST_REMOVED';
      const isError = contract.hostFacts[entered]?.class === 'ERROR';
      const wanted = (given: { answers: boolean; stale: boolean; removing: boolean }) => {
        if (given.removing !== removes) return null;
        if (name === 'HOST_DEADLINE' && given.stale) return '';
        if (name === 'HOST_DEADLINE' && given.answers && entered) {
          return contract.hostFacts[state]?.ifItAnswers || `${entered} with its cause`;
        }
        return isError ? `${entered} with its cause` : entered;
      };
      const given = [true, false].flatMap((answers) =>
        [true, false].flatMap((stale) =>
          [true, false].map((removing) => ({
            answers: name === 'CHECK_MISSED' ? false : answers,
            stale,
            removing,
          })),
        ),
      );
      return {
        name: `${name} × host ${state}`,
        target: row,
        key: state,
        others: [undefined, ...entering(hostStates), ...hostEffects],
        behaves: () =>
          given.flatMap((each) => {
            const answer = wanted(each);
            return answer === null
              ? []
              : differs(
                  `${name} ${JSON.stringify(each)}`,
                  drive.hostObserved(name, state, each),
                  answer,
                );
          }),
        reads: () => differs('cell', row[state] !== undefined, entered !== ''),
        // While the host restarts, what its runtimes report is about their former runs.
        ...(name === 'RUNTIME_ONLINE' && state === 'RESTARTING_HOST'
          ? {}
          : {
              follows: () =>
                stripped(
                  drive.hostObserved(name, state, {
                    answers: false,
                    stale: false,
                    removing: removes,
                  }),
                ),
            }),
      };
    }),
  );
}

export function hostEffectSlots(): Slot[] {
  const events = Object.keys(instanceByHost);
  const problems = (event: string, state: (typeof instanceStates)[number]) =>
    desiredInstanceStates.flatMap((desired) => {
      const { enters, desired: wants } = contract.hostEffect[event] ?? { enters: {}, desired: [] };
      const wanted = wants.includes(desired) ? (enters[state] ?? '') : '';
      return differs(
        `${event} ${state} ${desired}`,
        drive.hostEffect(event, state, desired),
        wanted,
      );
    });
  const cells = events.flatMap((event) =>
    instanceStates.map((state): Slot => {
      const row = mutable(instanceByHost)[event] as Record<string, unknown>;
      return {
        name: `${event} × ${state}`,
        target: row,
        key: state,
        others: [undefined, ...instanceStates],
        behaves: () => problems(event, state),
        reads: () =>
          differs('cell', row[state] ?? '', contract.hostEffect[event]?.enters[state] ?? ''),
        follows: () => drive.hostEffect(event, state, 'RUNNING'),
      };
    }),
  );
  const whose = Object.keys(startsWhereDesired).map(
    (event): Slot => ({
      name: `who starts at ${event}`,
      target: startsWhereDesired as never,
      key: event,
      others: [
        [],
        ['RUNNING'],
        ['PAUSED'],
        ['RUNNING', 'PAUSED'],
        ['RUNNING', 'STOPPED'],
        ['RUNNING', 'PAUSED', 'STOPPED'],
      ],
      behaves: () => problems(event, 'OFFLINE'),
      reads: () => [],
    }),
  );
  return [...cells, ...whose];
}
