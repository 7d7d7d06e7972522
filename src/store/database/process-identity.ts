/** Who a process is. A pid alone is not an identity: it is given again. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in whatever the system counts. */
  readonly startTime: string;
  /** Of this boot of the machine; empty where the system does not say. */
  readonly bootId: string;
  /** Where the pid counts: of another container it says nothing here. Empty where there is none. */
  readonly namespace: string;
}

/** This very process. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    bootId: read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) ?? '',
    namespace: ownNamespace(),
  };
}

/** Does it still run? Null: it cannot be known from here. */
export function isAlive(identity: ProcessIdentity): boolean | null {
  const own = ownIdentity();
  if (identity.bootId !== own.bootId) return false;
  if (identity.namespace !== own.namespace) return null;
  return startTimeOf(identity.pid) === identity.startTime;
}

const ownNamespace = (): string => read(() => readlinkSync('/proc/self/ns/pid')) ?? '';

/** Null: there is no such process, or it is a zombie, which is dead. */
function startTimeOf(pid: number): string | null {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat !== null) {
    // The name, in parentheses, may hold anything; behind it stand the state and, later, the time.
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
