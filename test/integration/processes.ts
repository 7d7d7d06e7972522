/** What the machine tells of the processes of one data folder: agents of hosts, and runtimes. */
import { readdirSync, readFileSync } from 'node:fs';

/** The compilers that a server keeps beside it count as the server. */
export type Role = 'server' | 'agent' | 'runtime';

/** A live process that has to do with a data folder. */
export interface Found {
  readonly pid: number;
  readonly role: Role;
  /** Of a runtime: the instance, by its uuid. */
  readonly instance: string | null;
}

/** Every live process of a data folder. A zombie has no environment any more and is not found. */
export function processesOf(dataDir: string): Found[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
        if (!command.includes(dataDir) && !environment.includes(dataDir)) return [];
        const instance = /(?:^|\0)RUNTIME_INSTANCE=([^\0]*)/.exec(environment)?.[1] ?? null;
        const role = instance ? 'runtime' : command.includes(dataDir) ? 'agent' : 'server';
        return [{ pid: Number(name), role, instance }] as Found[];
      } catch {
        return []; // Gone meanwhile, or another user's.
      }
    });
}

/** The live runtimes of an instance, by its global id; more than one is a fault. */
export function runtimesOf(dataDir: string, globalId: string): number[] {
  const [, uuid] = Buffer.from(globalId, 'base64').toString('utf8').split(':');
  return processesOf(dataDir)
    .filter(({ instance }) => instance === uuid)
    .map(({ pid }) => pid);
}

/** The agents of a data folder's hosts: each is told its host's folder. */
export function agentsOf(dataDir: string, hostGlobalId: string): number[] {
  const [, uuid = '?'] = Buffer.from(hostGlobalId, 'base64').toString('utf8').split(':');
  return processesOf(dataDir)
    .filter(({ pid, role }) => {
      if (role !== 'agent') return false;
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(uuid);
      } catch {
        return false;
      }
    })
    .map(({ pid }) => pid);
}
