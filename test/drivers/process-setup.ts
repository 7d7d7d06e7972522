/** Tests of the process driver: a folder, the driver over it, and what the machine tells. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { AllocatedHost, Driver, HostRequest } from '../../src/drivers/driver.ts';
import { ProcessDriver, type ProcessDriverOptions } from '../../src/drivers/process/driver.ts';
import type { HostRecord, RuntimeRecord } from '../../src/drivers/process/files.ts';
import { identityOf, isAlive, type ProcessIdentity } from '../../src/drivers/process/identity.ts';
import { until } from '../harness/eventually.ts';
import { image, newCall, newHost, newRun } from './calls.ts';

/** The stand-in for our runtime. */
export const runtimeEntry = fileURLToPath(new URL('./fixtures/runtime.ts', import.meta.url));
/** Those that are not tidied yet. */
export const setups: ProcessSetup[] = [];

export interface ProcessSetup {
  readonly folder: string;
  readonly driver: Driver;
  open(): Driver;
}

/** A driver over an empty folder. Its hosts end by themselves where the test run is killed. */
export function newSetup(options: Partial<ProcessDriverOptions> = {}): ProcessSetup {
  const folder = mkdtempSync(join(tmpdir(), 'process-driver-'));
  const heartbeatFile = { file: folder, seconds: 300 };
  const open = () => new ProcessDriver({ folder, heartbeatFile, runtimeEntry, ...options });
  const setup = { folder, driver: open(), open };
  setups.push(setup);
  return setup;
}

export function read<T>(...path: string[]): T {
  return JSON.parse(readFileSync(join(...path), 'utf8')) as T;
}

export function hostFolder(setup: ProcessSetup, host: AllocatedHost): string {
  return join(setup.folder, 'hosts', String(host.handle.hostId));
}

/** The identity of the instance's newest run, as recorded by the agent. */
export function recordedRun(setup: ProcessSetup, instanceId: string): ProcessIdentity {
  const hosts = join(setup.folder, 'hosts');
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

export async function deploy(setup: ProcessSetup, request: HostRequest = newHost()) {
  const host = await setup.driver.allocateHost(request, newCall());
  await setup.driver.deployContainer(host.handle, image, newCall());
  return { ...host, request };
}

/** A host with one running runtime that has told what it saw. */
export async function deployRunning(setup: ProcessSetup, query = '') {
  const host = await deploy(setup);
  const run = newRun({ endpoint: `ws://127.0.0.1:9/graphql${query}` });
  await setup.driver.startRuntime(host.handle, run, newCall());
  const seenFile = join(hostFolder(setup, host), 'instances', run.instanceId, 'seen.json');
  await until('the runtime has come up', () => existsSync(seenFile));
  const identity = recordedRun(setup, run.instanceId);
  return { host, run, identity, seenFile };
}

export function tagOf(setup: ProcessSetup, host: AllocatedHost): string {
  return read<HostRecord>(hostFolder(setup, host), 'host.json').processTag;
}

export async function tidy(setup: ProcessSetup): Promise<void> {
  const hosts = readdirSync(join(setup.folder, 'hosts'));
  await Promise.all(hosts.map((hostId) => setup.driver.releaseHost(hostId, null, newCall())));
  await setup.driver.close();
  const left = readdirSync('/proc').filter((name) => {
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(setup.folder);
    } catch {
      return false;
    }
  });
  expect(left, 'no process is left over').toEqual([]);
  expect(readdirSync(join(setup.folder, 'hosts'))).toEqual([]);
  rmSync(setup.folder, { recursive: true, force: true });
}
