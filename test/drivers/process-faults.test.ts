import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { ProcessDriver } from '../../src/drivers/process/driver.ts';
import type { HostRecord } from '../../src/drivers/process/files.ts';
import { findTagged } from '../../src/drivers/process/identity.ts';
import { newCall, newHost, newRun } from './calls.ts';
import { eventuallyRuntime } from './contract.ts';
import {
  agentOf,
  countRuntimes,
  deploy,
  hostFolder,
  newSetup,
  read,
  recordedRun,
  runtimeEntry,
  setups,
  tagOf,
  tidy,
} from './process-setup.ts';

describe('process driver against faults', () => {
  afterEach(async () => {
    for (const setup of setups.splice(0)) await tidy(setup);
  });

  it('answers garbage on its socket and lives on', async () => {
    const setup = newSetup();
    const host = await deploy(setup);
    const { socket } = read<HostRecord>(hostFolder(setup, host), 'host.json');
    for (const line of ['{', 'null', '{"fence":"1"}', '{"fence":"x"}', 'x'.repeat(100_000)]) {
      const connection = connect(socket);
      connection.write(`${line}\n`);
      const [answer] = (await once(connection.setEncoding('utf8'), 'data')) as [string];
      expect(JSON.parse(answer)).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } });
      connection.destroy();
    }
    const bad = newRun({ instanceId: '../../escape' });
    const start = setup.driver.startRuntime(host.handle, bad, newCall());
    await expect(start).rejects.toMatchObject({ code: 'INVALID_ID', retryable: false });
    const check = await setup.driver.checkHost(host.handle, 'ws://127.0.0.1:9/', newCall());
    expect(check).toEqual({ answers: true });
  });

  it('keeps the socket elsewhere where the folder is too deep for one', async () => {
    const parent = mkdtempSync(join(tmpdir(), 'process-driver-'));
    const folder = join(parent, 'deep'.repeat(30));
    const driver = new ProcessDriver({ folder, heartbeatFile: null, runtimeEntry });
    const request = newHost();
    const host = await driver.allocateHost(request, newCall());
    const record = read<HostRecord>(folder, 'hosts', request.hostId, 'host.json');
    expect(record.socket.length).toBeLessThanOrEqual(100);
    expect(statSync(join(record.socket, '..')).mode & 0o777).toBe(0o700);
    const check = await driver.checkHost(host.handle, 'ws://127.0.0.1:9/', newCall());
    expect(check).toEqual({ answers: true });
    await driver.releaseHost(request.hostId, host.handle, newCall());
    expect(existsSync(record.socket)).toBe(false);
    expect(findTagged(record.processTag)).toEqual([]);
    await driver.close();
    rmSync(parent, { recursive: true });
  });

  it('bundles a program that needs a native package', async () => {
    const entry = fileURLToPath(new URL('./fixtures/sqlite-runtime.ts', import.meta.url));
    const setup = newSetup({ runtimeEntry: entry });
    const host = await deploy(setup);
    const run = newRun();
    await setup.driver.startRuntime(host.handle, run, newCall());
    const exit = await eventuallyRuntime(setup.driver, [host, run], 'exited');
    expect(exit).toEqual({ state: 'exited', exitCode: 0, signal: null, logTail: 'sum 42' });
  });

  it('survives a server that is killed at any moment', async () => {
    const program = fileURLToPath(new URL('./fixtures/server.ts', import.meta.url));
    for (let round = 0; round < 6; round += 1) {
      const setup = newSetup();
      const request = newHost();
      const run = newRun();
      const argument = JSON.stringify({ folder: setup.folder, runtimeEntry, request, run });
      const server = spawn(process.execPath, ['--import', 'tsx', program, argument], {
        detached: true,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(server.stdout, 'data');
      await delay(Math.random() * 350); // the random moment
      process.kill(-(server.pid ?? 0), 'SIGKILL');
      await once(server, 'exit');
      const call = () => newCall({ fencingToken: BigInt(1000 + round) });
      const host = await setup.driver.allocateHost(request, call());
      await setup.driver.startRuntime(host.handle, run, call());
      await eventuallyRuntime(setup.driver, [host, run], 'running');
      const processTag = tagOf(setup, host);
      const runtime = recordedRun(setup, run.instanceId).pid;
      expect(new Set(findTagged(processTag).map(({ pid }) => pid))).toEqual(
        new Set([agentOf(host).pid, runtime]),
      );
      expect(countRuntimes(run.instanceId)).toBe(1);
      await setup.driver.releaseHost(request.hostId, null, call());
      expect(findTagged(processTag)).toEqual([]);
    }
  });
});
