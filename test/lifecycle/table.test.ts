/**
 * The table decides, and the table is the contract's. Every cell, edge, deadline and column of the
 * facts is compared with `contract.ts`, both as it stands and by what the code does; then each is
 * changed in turn, and the comparison must fail.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { deadlinesOfFacts, defaultDeadlines } from '../../src/lifecycle/change.ts';
import { hostEdges, hostStates } from '../../src/lifecycle/host.ts';
import { instanceEdges, instanceStates } from '../../src/lifecycle/instance.ts';
import { stateMachineOf } from '../../src/lifecycle/machine-description.ts';
import { desiredSlots, hostCells, instanceCells } from './command-slots.ts';
import * as contract from './contract.ts';
import { hostFactSlots, instanceFactSlots } from './fact-slots.ts';
import {
  hostEffectSlots,
  hostObservationSlots,
  instanceObservationSlots,
} from './observation-slots.ts';
import { answerOf, type Slot } from './slots.ts';

const slots: Record<string, Slot[]> = {
  'commands of instances': instanceCells(),
  'commands of hosts': hostCells(),
  'facts and deadlines of instances': instanceFactSlots(),
  'facts and deadlines of hosts': hostFactSlots(),
  'observations of instances': instanceObservationSlots(),
  'observations of hosts': hostObservationSlots(),
  'effects of hosts on instances': hostEffectSlots(),
  'desired states': desiredSlots(),
};

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const total = { mutants: 0, killed: 0, byBehaviour: 0 };

/** Puts a slot back as it is now; one that is absent is absent again. */
function restorer(target: Slot['target'], key: string): () => void {
  const had = key in target;
  const before = target[key];
  return () => {
    if (had) target[key] = before;
    else delete target[key];
  };
}

/** What a change of a slot would be seen by. An error is seen, too. */
function seen(look: () => string[]): boolean {
  try {
    return look().length > 0;
  } catch {
    return true;
  }
}

describe.each(Object.entries(slots))('%s', (_, each) => {
  test('are those of the contract, as written, as published, and as the code decides', () => {
    expect(each.flatMap(({ behaves, reads }) => [...behaves(), ...reads()])).toEqual([]);
  });

  test('decide: a state or a refusal that stands there instead is what happens', () => {
    const ignored: string[] = [];
    for (const { name, target, key, others, follows } of each) {
      if (!follows) continue;
      const before = target[key];
      const restore = restorer(target, key);
      for (const other of others) {
        const cell = typeof other === 'string' ? { enters: other } : other;
        const state = cell && typeof cell === 'object' && 'effect' in cell ? null : cell;
        if (!state || same(other, before)) continue;
        target[key] = other;
        const answer = follows();
        restore();
        if (answer !== answerOf(state)) ignored.push(`${name}: ${answer} for ${answerOf(state)}`);
      }
    }
    expect(ignored).toEqual([]);
  });

  test('are noticed when they change', () => {
    const survivors: string[] = [];
    for (const { name, target, key, others, behaves, reads } of each) {
      const before = target[key];
      const restore = restorer(target, key);
      for (const other of others) {
        if (same(other, before)) continue;
        target[key] = other;
        const byBehaviour = seen(behaves);
        const killed = byBehaviour || seen(reads);
        restore();
        total.mutants += 1;
        total.byBehaviour += byBehaviour ? 1 : 0;
        total.killed += killed ? 1 : 0;
        if (!killed) survivors.push(`${name}: ${JSON.stringify(other)}`);
      }
    }
    expect(survivors).toEqual([]);
  });
});

describe.each([
  ['INSTANCE', instanceEdges, contract.instanceEdgeSet, instanceStates],
  ['HOST', hostEdges, contract.hostEdgeSet, hostStates],
] as const)('the edges of kind %s', (kind, edges, wanted, states) => {
  const published = () =>
    new Set(stateMachineOf(kind, defaultDeadlines).edges.map(({ from, to }) => `${from} ${to}`));
  const agrees = () => {
    const now = published();
    return now.size === edges.length && same([...now].sort(), [...wanted].sort());
  };

  test('are the closed set, and each one more, less or changed is noticed', () => {
    expect([...published()].sort()).toEqual([...wanted].sort());
    const list = edges as unknown as { from: string; to: string; trigger: string }[];
    const survivors: string[] = [];
    const mutate = (name: string, change: () => void, undo: () => void) => {
      change();
      const killed = !agrees();
      undo();
      total.mutants += 1;
      total.killed += killed ? 1 : 0;
      if (!killed) survivors.push(name);
    };
    for (const [index, edge] of [...list].entries()) {
      mutate(
        `without ${edge.from} → ${edge.to}`,
        () => list.splice(index, 1),
        () => list.splice(index, 0, edge),
      );
      for (const to of states) {
        if (to === edge.to) continue;
        mutate(
          `${edge.from} → ${to} for ${edge.to}`,
          () => list.splice(index, 1, { ...edge, to }),
          () => list.splice(index, 1, edge),
        );
      }
    }
    for (const from of states) {
      for (const to of states) {
        if (wanted.has(`${from} ${to}`)) continue;
        mutate(
          `with ${from} → ${to}`,
          () => list.push({ from, to, trigger: '' }),
          () => list.pop(),
        );
      }
    }
    expect(survivors).toEqual([]);
    expect(agrees()).toBe(true);
  });

  test('hold every transition that the tables of the contract enter', () => {
    const cells: Record<string, Record<string, string>> = kind === 'INSTANCE'
      ? contract.instanceCells
      : contract.hostCells;
    const facts: Record<string, Record<string, string>> = kind === 'INSTANCE'
      ? contract.instanceFacts
      : contract.hostFacts;
    const observed: Record<string, string>[] = Object.values(
      kind === 'INSTANCE'
        ? {
            ...contract.instanceObserved,
            ...Object.fromEntries(
              Object.entries(contract.hostEffect).map(([event, { enters }]) => [event, enters]),
            ),
          }
        : contract.hostObserved,
    );
    const moves: (readonly [string, string])[] = [
      ...Object.entries(cells).flatMap(([from, row]) =>
        Object.values(row).map((to) => [from, to] as const),
      ),
      ...Object.entries(facts).flatMap(([from, row]) =>
        [row.onExpiry, row.failsTo, row.ifItAnswers].map((to) => [from, to ?? ''] as const),
      ),
      ...observed.flatMap((row) => Object.entries(row)),
    ].filter(([, to]) => (states as readonly string[]).includes(to));
    expect(moves.filter(([from, to]) => !wanted.has(`${from} ${to}`))).toEqual([]);
  });
});

test('the time of a removal and between two checks', () => {
  expect(defaultDeadlines).toMatchObject({ removal: contract.removalSeconds, healthCheck: 60 });
  expect(defaultDeadlines).toEqual(deadlinesOfFacts());
});

afterAll(() => {
  const { mutants, killed, byBehaviour } = total;
  console.log(
    `Tables of the lifecycle: ${mutants} mutants, ${killed} killed (${byBehaviour} by what the code then does)`,
  );
});
