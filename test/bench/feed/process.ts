/**
 * Processes of the bench: questions to a child over IPC, and what Linux says of the CPU time and the
 * memory of any process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: the parameters of each are known where it is called
type Tasks = { readonly [Name in string]: (...given: any[]) => unknown };

export interface Child<Its> {
  readonly pid: number;
  call<Name extends keyof Its & string>(
    name: Name,
    ...given: Its[Name] extends (...given: infer Given) => unknown ? Given : never
  ): Promise<Its[Name] extends (...given: never[]) => infer Answer ? Awaited<Answer> : never>;
  stop(): Promise<void>;
}

interface Question {
  readonly id: number;
  readonly name: string;
  readonly given: unknown[];
}
type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Starts a script that calls `answerWith`. It ends with this process at the latest. */
export function startChild<Its extends object>(script: URL): Child<Its> {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const child: ChildProcess = fork(fileURLToPath(script), {
    execArgv: ['--expose-gc', '--import', loader],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  child.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(new Error(answer.error));
    else asked?.resolve(answer.value);
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${script} has ended: ${code}`));
    waiting.clear();
  });
  return {
    pid: child.pid ?? 0,
    call(name, ...given) {
      const answered = new Promise<never>((resolve, reject) => {
        last += 1;
        waiting.set(last, { resolve: resolve as (value: unknown) => void, reject });
        child.send({ id: last, name, given } satisfies Question);
      });
      answered.catch(() => {}); // Whoever awaits it gets it, later perhaps.
      return answered;
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** In a child: answers the questions of its parent, and ends with it. */
export function answerWith(tasks: object): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, given }: Question) => {
    let answer: Answer;
    try {
      const task = (tasks as Tasks)[name];
      if (!task) throw new Error(`There is no task ${name}.`);
      answer = { id, value: await task(...given) };
    } catch (error) {
      answer = { id, error: String(error instanceof Error ? error.stack : error) };
    }
    process.send?.(answer);
  });
}

/** CPU time that a process has taken so far, of all its threads; in seconds, in steps of 0.01. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Memory of a process that is resident, in bytes. */
export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(found?.[1]) * 1024;
}

/** The least that is resident over some seconds, in which garbage is collected several times. */
export async function settledBytes(pid: number, collect: () => unknown): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 6; turn += 1) {
    await collect();
    await sleep(500);
    least = Math.min(least, residentBytes(pid));
  }
  return least;
}

/** Watches the memory of a process; the answer ends it and tells the most that was resident. */
export function watchPeak(pid: number): () => number {
  let peak = residentBytes(pid);
  const look = () => {
    try {
      peak = Math.max(peak, residentBytes(pid));
    } catch {
      clearInterval(timer); // It has ended.
    }
  };
  const timer = setInterval(look, 20);
  return () => {
    clearInterval(timer);
    look();
    return peak;
  };
}
