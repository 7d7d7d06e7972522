/** What must hold of the stored log, of states and of processes, whatever happened on the way. */
import { expect } from 'vitest';
import type { LogRow } from './answers.ts';
import type { Client } from './client.ts';
import { processesOf } from './processes.ts';

interface Machine {
  readonly edges: readonly { readonly from: string; readonly to: string }[];
}

/** Every history is a path through the edges, without a hole, that ends in the state shown. */
export async function expectPaths(client: Client, log: readonly LogRow[]): Promise<void> {
  const machines = await client.read<{ instance: Machine; host: Machine }>(`{
    instance: stateMachine(kind: INSTANCE) { edges { from to } }
    host: stateMachine(kind: HOST) { edges { from to } }
  }`);
  const { instances, hosts } = await client.fleet();
  const kinds = [
    [instances, machines.instance],
    [hosts, machines.host],
  ] as const;
  for (const [resources, machine] of kinds) {
    const edges = new Set(machine.edges.map(({ from, to }) => `${from}→${to}`));
    for (const { key, state, sequence } of resources) {
      const rows = log.filter(({ resource }) => resource.key === key);
      let before = 'OFFLINE';
      for (const [index, row] of rows.entries()) {
        expect(`${key}#${row.sequence} ${row.fromState}`).toBe(`${key}#${index + 1} ${before}`);
        expect(edges, key).toContain(`${row.fromState}→${row.toState}`);
        before = row.toState;
      }
      expect(`${key}#${sequence} ${state}`).toBe(`${key}#${rows.length} ${before}`);
    }
  }
}

/** One agent for each host that has compute, one runtime for each live instance, and no others. */
export async function expectProcesses(client: Client, dataDir: string): Promise<void> {
  const { instances, hosts } = await client.fleet();
  const live = instances.filter(({ state }) => state === 'RUNNING' || state === 'PAUSED');
  const found = processesOf(dataDir);
  const runtimes = found.flatMap(({ instance }) => (instance ? [instance] : []));
  expect(runtimes.sort(), 'one runtime for each live instance').toEqual(
    live.map(({ id }) => uuidOf(id)).sort(),
  );
  const up = hosts.filter(({ state }) => state !== 'OFFLINE');
  const agents = found.filter(({ role }) => role === 'agent');
  expect(agents, up.map(({ key, state }) => `${key} ${state}`).join()).toHaveLength(up.length);
}

/** The instances that have more than one runtime at this moment. */
export function doubledRuntimes(dataDir: string): string[] {
  const instances = processesOf(dataDir).flatMap(({ instance }) => (instance ? [instance] : []));
  return instances.filter((instance, index) => instances.indexOf(instance) !== index);
}

export function uuidOf(globalId: string): string {
  return Buffer.from(globalId, 'base64').toString('utf8').split(':')[1] ?? '';
}
