/** Tests of the process driver: a folder, the driver over it, and what the machine tells. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import type { AllocatedHost, Driver, HostRequest } from '../../src/drivers/driver.ts';
import {
  createProcessDriver,
  type ProcessDriverOptions,
} from '../../src/drivers/process/driver.ts';
import type { HostRecord, RuntimeRecord } from '../../src/drivers/process/files.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/drivers/process/identity.ts';
import { image, newCall, newHost, newRun } from './calls.ts';

/** The stand-in for our runtime. */
export const runtimeEntry = fileURLToPath(new URL('./fixtures/runtime.ts', import.meta.url));
/** Those that are not tidied yet. */
export const worlds: World[] = [];

export interface World {
  readonly folder: string;
  readonly driver: Driver;
  open(): Driver;
}

/** A driver over an empty folder. Its hosts end by themselves where the test run is killed. */
export function newWorld(options: Partial<ProcessDriverOptions> = {}): World {
  const folder = mkdtempSync(join(tmpdir(), 'process-driver-'));
  const lifeline = { file: folder, seconds: 300 };
  const open = () => createProcessDriver({ folder, lifeline, runtimeEntry, ...options });
  const world = { folder, driver: open(), open };
  worlds.push(world);
  return world;
}

export function read<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), 'utf8')) as T;
}

export function hostFolder(world: World, host: AllocatedHost): string {
  return join(world.folder, 'hosts', String(host.handle.hostId));
}

/** The identity of the instance's newest run, as recorded by the agent. */
export function recordedRun(world: World, instanceId: string): ProcessIdentity {
  const hosts = join(world.folder, 'hosts');
  for (const hostId of readdirSync(hosts)) {
    const path = join(hosts, hostId, 'runtimes', `${instanceId}.json`);
    if (!existsSync(path)) continue;
    const { run } = read<RuntimeRecord>(path);
    if (run?.identity) return run.identity;
  }
  throw new Error(`${instanceId} has no run on record`);
}

/** How many live processes say that they are that instance's runtime. */
export function countRuntimes(instanceId: string): number {
  const needle = `RUNTIME_INSTANCE=${instanceId}\0`;
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const identity = identityOf(Number(name));
      const carries = readFileSync(`/proc/${name}/environ`, 'utf8').includes(needle);
      return carries && identity !== null && isAlive(identity);
    } catch {
      return false;
    }
  }).length;
}

export function agentOf(host: AllocatedHost): ProcessIdentity {
  return host.handle.agent as ProcessIdentity;
}

export async function eventually(condition: () => boolean, what: string): Promise<void> {
  await vi.waitFor(() => expect(condition(), what).toBe(true), { timeout: 15_000, interval: 20 });
}

export async function deploy(world: World, request: HostRequest = newHost()) {
  const host = await world.driver.allocateHost(request, newCall());
  await world.driver.deployContainer(host.handle, image, newCall());
  return { ...host, request };
}

/** A host with one running runtime that has told what it saw. */
export async function deployRunning(world: World, query = '') {
  const host = await deploy(world);
  const run = newRun({ endpoint: `ws://127.0.0.1:9/graphql${query}` });
  await world.driver.startRuntime(host.handle, run, newCall());
  const seenFile = join(hostFolder(world, host), 'instances', run.instanceId, 'seen.json');
  await eventually(() => existsSync(seenFile), 'the runtime has come up');
  const identity = recordedRun(world, run.instanceId);
  return { host, run, identity, seenFile };
}

export function markOf(world: World, host: AllocatedHost): string {
  return read<HostRecord>(hostFolder(world, host), 'host.json').mark;
}

export async function tidy(world: World): Promise<void> {
  const hosts = readdirSync(join(world.folder, 'hosts'));
  await Promise.all(hosts.map((hostId) => world.driver.releaseHost(hostId, null, newCall())));
  await world.driver.close();
  const left = readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(world.folder);
    } catch {
      return false;
    }
  });
  expect(left, 'no process is left over').toEqual([]);
  expect(readdirSync(join(world.folder, 'hosts'))).toEqual([]);
  rmSync(world.folder, { recursive: true, force: true });
}
