/** The identity of a process. A pid alone is none: pids are reused. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** Start time, in a unit of the system. */
  readonly startTime: string;
  /** Id of this boot of the machine; empty if the system has none. */
  readonly bootId: string;
  /** PID namespace: a pid of another container means nothing here. Empty if there is none. */
  readonly namespace: string;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    bootId: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? '',
    namespace: ownNamespace(),
  };
}

/** Does it still run? Null if that cannot be known from here. */
export function isAlive(identity: ProcessIdentity): boolean | null {
  const own = ownIdentity();
  if (identity.bootId !== own.bootId) return false;
  if (identity.namespace !== own.namespace) return null;
  return startTimeOf(identity.pid) === identity.startTime;
}

const ownNamespace = (): string => read(() => readlinkSync('/proc/self/ns/pid')) ?? '';

/** Null if there is no such process, or only its zombie. */
function startTimeOf(pid: number): string | null {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat !== null) {
    // The name in parentheses may hold any character; the state and the start time follow it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  }
  if (process.platform === 'linux') return null;
  const started = read(() =>
    execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim(),
  );
  return started === '' ? null : started;
}

function read(what: () => string): string | null {
  try {
    return what();
  } catch {
    return null;
  }
}
