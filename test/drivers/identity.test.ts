import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import {
  endByForce,
  identityOf,
  isAlive,
  type ProcessIdentity,
  signalProcess,
} from '../../src/drivers/process/identity.ts';
import { eventually } from '../harness/eventually.ts';

const started: ProcessIdentity[] = [];

async function start(command: string, args: string[]): Promise<ProcessIdentity> {
  const child = spawn(command, args, { stdio: 'ignore', detached: true });
  await once(child, 'spawn');
  const identity = identityOf(child.pid ?? 0);
  if (!identity) throw new Error(`${command} ended at once`);
  started.push(identity);
  return identity;
}

afterEach(async () => {
  expect(await endByForce(() => started.splice(0), { withinMs: 5_000 })).toBe(true);
});

it('knows a process by pid, start time and boot together', async () => {
  const real = await start('sleep', ['60']);
  expect(isAlive(real)).toBe(true);
  const earlier = { ...real, startTime: String(Number(real.startTime) - 1) };
  const otherBoot = { ...real, bootId: '00000000-0000-0000-0000-000000000000' };
  for (const other of [earlier, otherBoot]) {
    expect(isAlive(other)).toBe(false);
    expect(signalProcess(other, 'SIGKILL', 'group')).toBe(false);
    expect(await endByForce(() => [other], { withinMs: 1_000 })).toBe(true);
  }
  expect(isAlive(real), 'whoever has the pid now was left alone').toBe(true);
  expect(signalProcess(real, 'SIGKILL')).toBe(true);
  await eventually(() => expect(isAlive(real)).toBe(false));
});

it('takes a zombie for dead', async () => {
  // The shell's child ends; the program that the shell becomes never asks for it.
  const parent = await start('sh', ['-c', 'sleep 0.01 & exec sleep 60']);
  const childOf = () => {
    const path = `/proc/${parent.pid}/task/${parent.pid}/children`;
    return Number(readFileSync(path, 'utf8').trim());
  };
  await eventually(() => {
    const stat = readFileSync(`/proc/${childOf()}/stat`, 'utf8');
    expect(stat.slice(stat.lastIndexOf(')') + 2)).toMatch(/^Z/);
  });
  const zombie = identityOf(childOf());
  expect(zombie).not.toBeNull();
  if (zombie) {
    expect(isAlive(zombie)).toBe(false);
    expect(signalProcess(zombie, 'SIGTERM')).toBe(false);
  }
});

it('knows of no process that was never there', () => {
  expect(identityOf(2 ** 22 + 1)).toBeNull();
});

it('takes a process for gone when it is, not when it can no longer be found', async () => {
  // A killed process first releases its memory: it is alive then, but has no environment to be found by.
  const allocate = 'globalThis.kept = Buffer.alloc(2.5e8, 1); setInterval(() => {}, 1e6)';
  const large = await Promise.all([1, 2, 3, 4].map(() => start('node', ['-e', allocate])));
  const bytes = ({ pid }: ProcessIdentity) =>
    Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  await eventually(() => expect(Math.min(...large.map(bytes))).toBeGreaterThan(2.5e8));
  const finds = [large];
  expect(await endByForce(() => finds.shift() ?? [], { withinMs: 5_000 })).toBe(true);
  expect(large.filter(isAlive)).toEqual([]);
});
