/** The cells of commands, and the state that each command desires. */
import { type HostAction, hostActions, hostStates } from '../../src/lifecycle/host.ts';
import { hostCommands } from '../../src/lifecycle/host-table.ts';
import {
  desiredInstanceStates,
  type InstanceAction,
  instanceActions,
  instanceStates,
} from '../../src/lifecycle/instance.ts';
import { desiredBy, forcedStops, instanceCommands } from '../../src/lifecycle/instance-table.ts';
import * as contract from './contract.ts';
import * as drive from './drive.ts';
import {
  answerOf,
  differs,
  entering,
  mutable,
  published,
  publishedHost,
  publishedInstance,
  refusals,
  type Slot,
} from './slots.ts';

export function instanceCells(): Slot[] {
  return instanceStates.flatMap((state) =>
    ([...instanceActions, 'superseding'] as const).map((action): Slot => {
      const wanted = contract.instanceCells[state]?.[action];
      const forced = action === 'superseding';
      const target = forced
        ? mutable({ forcedStops }).forcedStops
        : mutable(instanceCommands)[state];
      const key = forced ? state : action;
      return {
        name: `cell ${action} × ${state}`,
        target: target as Record<string, unknown>,
        key,
        others: [
          { enters: null },
          ...(action === 'DELETE' ? [] : entering(instanceStates)),
          ...(forced ? refusals.slice(-1) : refusals),
        ],
        behaves: () => differs(action, drive.instanceCommand(state, action).answer, wanted),
        reads: () => [
          ...differs(action, answerOf(target?.[key]), wanted),
          ...(forced ? [] : differs(action, published(publishedInstance(), state, action), wanted)),
        ],
        follows: () => drive.instanceCommand(state, action).answer,
      };
    }),
  );
}

export function hostCells(): Slot[] {
  return hostStates.flatMap((state) =>
    hostActions.map((action: HostAction): Slot => {
      const wanted = contract.hostCells[state]?.[action];
      return {
        name: `cell ${action} × host ${state}`,
        target: mutable(hostCommands)[state] as Record<string, unknown>,
        key: action,
        others: [
          { enters: null },
          ...(action === 'DELETE' ? [] : entering(hostStates)),
          ...refusals,
        ],
        behaves: () => differs(action, drive.hostCommand(state, action), wanted),
        reads: () => [
          ...differs(action, answerOf(hostCommands[state][action]), wanted),
          ...differs(action, published(publishedHost(), state, action), wanted),
        ],
        follows: () => drive.hostCommand(state, action),
      };
    }),
  );
}

export function desiredSlots(): Slot[] {
  return instanceActions.map((action: InstanceAction): Slot => {
    const states = instanceStates.filter((state) => 'enters' in instanceCommands[state][action]);
    return {
      name: `desired by ${action}`,
      target: desiredBy as never,
      key: action,
      others: action === 'DELETE' ? [] : [undefined, ...desiredInstanceStates],
      behaves: () =>
        states.flatMap((state) =>
          differs(
            `desired after ${action} in ${state}`,
            drive.instanceCommand(state, action).desired,
            contract.desiredAfter[action] ?? 'PAUSED',
          ),
        ),
      reads: () => differs('desired', desiredBy[action], contract.desiredAfter[action]),
    };
  });
}
