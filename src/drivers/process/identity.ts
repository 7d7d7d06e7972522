/** Identifies, finds and ends processes of this machine, safely where pids are reused. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Identifies a process. A pid alone does not, because pids are reused and start from one at every
 * boot. Nothing here signals a process without verifying it first.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started: clock ticks since boot on Linux, a date elsewhere. Only compared. */
  readonly startTime: string;
  /** The boot of the machine in which it ran. */
  readonly bootId: string;
}

interface ProcessEntry {
  readonly startTime: string;
  readonly zombie: boolean;
  readonly group: number;
}

const linux = process.platform === 'linux';

/** Environment variable by which every process of one host is found without a record. */
export const processTagVariable = 'INSTANCE_MANAGER_MARK';

const bootId = readBootId();

function readBootId(): string {
  if (linux) return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.boottime'], { encoding: 'utf8' }).trim();
}

/** The identity of the process that has this pid now, a zombie included; null without one. */
export function identityOf(pid: number): ProcessIdentity | null {
  const entry = readEntry(pid);
  return entry && { pid, startTime: entry.startTime, bootId };
}

/** Does that very process still run? A zombie is dead, and so is every process of another boot. */
export function isAlive(identity: ProcessIdentity): boolean {
  const entry = readEntry(identity.pid);
  return (
    entry !== null &&
    !entry.zombie &&
    entry.startTime === identity.startTime &&
    identity.bootId === bootId
  );
}

/**
 * Signals that very process, or its whole group if it leads one. Another process with the same pid
 * is not touched.
 * @returns whether there was a process to signal
 */
export function signalProcess(
  identity: ProcessIdentity,
  signal: NodeJS.Signals,
  scope: 'process' | 'group' = 'process',
): boolean {
  if (!isAlive(identity)) return false;
  const leads = readEntry(identity.pid)?.group === identity.pid;
  try {
    process.kill(scope === 'group' && leads ? -identity.pid : identity.pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** The live processes that carry the process tag of a host, except this one. */
export function findTagged(processTag: string): ProcessIdentity[] {
  const found = linux ? scanProc(processTag) : scanPs(processTag);
  return found
    .filter((pid) => pid !== process.pid)
    .map(identityOf)
    .filter((identity): identity is ProcessIdentity => identity !== null && isAlive(identity));
}

/**
 * Kills processes until none that `find` has ever found is alive. A killed process is alive while its
 * memory is released, but has no environment any more by which it could be found again.
 * @param find called repeatedly: what is still there, including new ones
 * @param options.withinMs time limit; `signal` ends it earlier
 * @returns whether all are confirmed gone
 */
export async function endByForce(
  find: () => readonly ProcessIdentity[],
  options: { withinMs: number; signal?: AbortSignal },
): Promise<boolean> {
  const until = performance.now() + options.withinMs;
  const found = new Map<string, ProcessIdentity>();
  for (;;) {
    for (const each of find()) found.set(`${each.pid} ${each.startTime} ${each.bootId}`, each);
    const left = [...found.values()].filter(isAlive);
    if (left.length === 0) return true;
    for (const identity of left) signalProcess(identity, 'SIGKILL', 'group');
    if (performance.now() > until || options.signal?.aborted) return false;
    await delay(10);
  }
}

/**
 * Waits until none of the processes is alive.
 * @returns whether they all ended in time
 */
export async function waitGone(
  find: () => readonly ProcessIdentity[],
  options: { withinMs: number; signal?: AbortSignal },
): Promise<boolean> {
  const until = performance.now() + options.withinMs;
  while (find().some(isAlive)) {
    if (performance.now() > until || options.signal?.aborted) return false;
    await delay(10);
  }
  return true;
}

function readEntry(pid: number): ProcessEntry | null {
  return linux ? readProcStat(pid) : readPs(pid);
}

function readProcStat(pid: number): ProcessEntry | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the name of the program in parentheses and may contain anything, so count
  // from the last parenthesis: state is field 3, the group 5, the start time 22.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0] ?? 'X';
  return {
    startTime: fields[19] ?? '',
    zombie: state === 'Z' || state === 'X',
    group: Number(fields[2]),
  };
}

function readPs(pid: number): ProcessEntry | null {
  let line: string;
  try {
    line = execFileSync('/bin/ps', ['-o', 'stat=,pgid=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C', TZ: 'UTC' },
    }).trim();
  } catch {
    return null;
  }
  const match = /^(\S+)\s+(\d+)\s+(.+)$/.exec(line);
  if (!match) return null;
  const [, state = '', group = '', startTime = ''] = match;
  return { startTime, zombie: state.startsWith('Z'), group: Number(group) };
}

function scanProc(processTag: string): number[] {
  const needle = Buffer.from(`${processTagVariable}=${processTag}\0`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`).includes(needle);
      } catch {
        return false; // gone meanwhile, or another user's
      }
    })
    .map(Number);
}

function scanPs(processTag: string): number[] {
  const table = execFileSync('/bin/ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return table
    .split('\n')
    .filter((line) => line.includes(processTag))
    .map((line) => Number.parseInt(line, 10));
}
