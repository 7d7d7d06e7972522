import { describe, expect, test } from 'vitest';
import { stalePages } from '../../schema/docs.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { pageOf } from '../../src/lifecycle/docs.ts';
import { hostEdges, hostStates } from '../../src/lifecycle/host.ts';
import { hostObservations } from '../../src/lifecycle/host-table.ts';
import { instanceEdges, instanceStates } from '../../src/lifecycle/instance.ts';
import { instanceObservations } from '../../src/lifecycle/instance-table.ts';
import { stateMachineOf } from '../../src/lifecycle/machine-description.ts';
import { mermaidOf } from '../../src/lifecycle/mermaid.ts';
import { accepted, hostCells, instanceCells } from './contract.ts';

const machines = {
  INSTANCE: {
    states: instanceStates,
    edges: instanceEdges,
    observed: instanceObservations,
    contract: instanceCells,
  },
  HOST: { states: hostStates, edges: hostEdges, observed: hostObservations, contract: hostCells },
} as const;

describe.each(['INSTANCE', 'HOST'] as const)('the machine of kind %s', (kind) => {
  const machine = stateMachineOf(kind, defaultDeadlines);
  const { states, edges, observed, contract } = machines[kind];

  test('is drawn with every state and every edge, and nothing else', () => {
    const lines = mermaidOf(machine).split('\n');
    const drawn = lines.filter((line) => / --> /.test(line) && !line.includes('[*]'));
    expect(drawn.map((line) => line.trim().split(/ --> |: /, 2))).toEqual(
      edges.map(({ from, to }) => [from, to]),
    );
    expect(lines.filter((line) => line.startsWith('  class '))).toHaveLength(states.length);
    // A colon more would end the label.
    for (const line of drawn) expect(line.split(':')).toHaveLength(2);
  });

  test('publishes the cells of the contract', () => {
    const published = machine.commands.flatMap(({ action, cells }) =>
      cells.map(({ state, outcome, code, entersState }) => [
        `${state} ${action}`,
        outcome === 'REFUSED' ? code : (entersState ?? accepted),
      ]),
    );
    const expected = Object.entries(contract).flatMap(([state, cells]) =>
      Object.entries(cells)
        .filter(([action]) => action !== 'superseding')
        .map(([action, cell]) => [`${state} ${action}`, cell]),
    );
    expect(Object.fromEntries(published)).toEqual(Object.fromEntries(expected));
  });

  test('gives a deadline to every transient state, as configured', () => {
    for (const state of machine.states) {
      expect(state.deadlineSeconds !== null).toBe(state.class === 'TRANSIENT');
    }
    const configured = stateMachineOf(kind, {
      ...defaultDeadlines,
      instance: { ...defaultDeadlines.instance, STARTING: 7 },
      host: { ...defaultDeadlines.host, DEPLOYING: 7 },
    });
    expect(configured.states.filter(({ deadlineSeconds }) => deadlineSeconds === 7)).toHaveLength(
      1,
    );
  });

  test('has a page that says what the tables say', () => {
    expect(stalePages()).toEqual([]);
    for (const state of states) expect(pageOf(kind)).toContain(`| ${state} |`);
    for (const [observation, row] of Object.entries(observed)) {
      const lines = pageOf(kind)
        .split('\n')
        .filter((line) => line.startsWith(`| ${observation} |`));
      for (const state of Object.keys(row)) {
        expect(lines.filter((line) => line.includes(state))).not.toEqual([]);
      }
    }
  });
});
