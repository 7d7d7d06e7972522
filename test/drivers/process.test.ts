import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { AllocatedHost } from '../../src/drivers/driver.ts';
import type { AgentRecord, HostRecord, RuntimeRecord } from '../../src/drivers/process/files.ts';
import { findTagged, isAlive, signalProcess } from '../../src/drivers/process/identity.ts';
import { eventually, until } from '../harness/eventually.ts';
import { newCall, newRun } from './calls.ts';
import { describeDriver, eventuallyRuntime } from './contract.ts';
import {
  agentOf,
  countRuntimes,
  deploy,
  deployRunning,
  hostFolder,
  newSetup,
  type ProcessSetup,
  read,
  recordedRun,
  setups,
  tagOf,
  tidy,
} from './process-setup.ts';

describeDriver('process', async () => {
  const setup = newSetup();
  return {
    driver: setup.driver,
    hasAddressPerHost: true,
    reopen: async () => setup.open(),
    async exitRuntime({ instanceId }, exitCode) {
      // SIGUSR2 makes the stand-in end with the code in that file.
      const { pid } = recordedRun(setup, instanceId);
      const hosts = join(setup.folder, 'hosts');
      const hostId = readdirSync(hosts).find((id) =>
        existsSync(join(hosts, id, 'instances', instanceId)),
      );
      const folder = join(hosts, hostId ?? '', 'instances', instanceId);
      await until('the runtime has come up', () => existsSync(join(folder, 'seen.json')));
      writeFileSync(join(folder, 'exit-code'), String(exitCode));
      process.kill(pid, 'SIGUSR2');
    },
    countRuntimes: async (instanceId) => countRuntimes(instanceId),
    close: () => tidy(setups.splice(setups.indexOf(setup), 1)[0] ?? setup),
  };
});

describe('process driver', () => {
  afterEach(async () => {
    for (const setup of setups.splice(0)) await tidy(setup);
  });
  afterAll(() => expect(setups).toEqual([]));

  it('hands a runtime its own environment and its key by stdin alone', async () => {
    vi.stubEnv('DATABASE_URL', 'postgres://secret-of-the-server');
    const setup = newSetup();
    const { host, run, seenFile, identity } = await deployRunning(setup);
    vi.unstubAllEnvs();
    const seen = read<{ pid: number; input: string; environment: object; argv: string[] }>(
      seenFile,
    );
    const folder = join(hostFolder(setup, host), 'instances', run.instanceId);
    expect(seen.environment).toEqual({
      NODE_ENV: 'production',
      RUNTIME_ENDPOINT: run.endpoint,
      RUNTIME_ENDPOINT_FILE: join(hostFolder(setup, host), 'endpoint'),
      RUNTIME_INSTANCE: run.instanceId,
      RUNTIME_RUN: run.runId,
      RUNTIME_ADDRESS: host.address,
      RUNTIME_WORK_FOLDER: folder,
      RUNTIME_HEARTBEAT_SECONDS: '5',
      INSTANCE_MANAGER_MARK: tagOf(setup, host),
    });
    expect(JSON.parse(seen.input)).toEqual({ runKey: run.runKey });
    expect(seen.pid).toBe(identity.pid);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(hostFolder(setup, host)).mode & 0o777).toBe(0o700);
    for (const { pid } of [identity, agentOf(host)]) {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      expect(environment).not.toMatch(/secret-of-the-server|^PATH=|\0PATH=/);
      expect(environment).not.toContain(run.runKey);
    }
    const files = readdirSync(hostFolder(setup, host), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && file.name !== 'seen.json')
      .map((file) => join(file.parentPath, file.name));
    for (const file of files) {
      expect(statSync(file).mode & 0o077, file).toBe(0);
      expect(readFileSync(file).includes(run.runKey), file).toBe(false);
    }
  });

  it('keeps the exit and the escaped end of the output', async () => {
    const setup = newSetup();
    const host = await deploy(setup);
    const run = newRun({ endpoint: 'ws://127.0.0.1:9/graphql?exit=7' });
    await setup.driver.startRuntime(host.handle, run, newCall());
    const exit = await eventuallyRuntime(setup.driver, [host, run], 'exited');
    expect(exit.exitCode).toBe(7);
    expect(exit.logTail).toBe('first line\nlast line \\u0007 \\u001b[31mred');
    signalProcess(agentOf(host), 'SIGKILL');
    const later = await setup.open().inspectRuntime(host.handle, run, newCall());
    expect(later).toEqual(exit);
  });

  it('kills what does not obey', async () => {
    const setup = newSetup();
    const { host, run, identity } = await deployRunning(setup, '?stubborn');
    await setup.driver.stopRuntime(host.handle, run, newCall());
    await eventuallyRuntime(setup.driver, [host, run], 'running');
    expect(isAlive(identity)).toBe(true);
    await setup.driver.killRuntime(host.handle, run, newCall());
    expect(isAlive(identity)).toBe(false);
  });

  it('hands a new endpoint on to the runtimes, and never an older one', async () => {
    const setup = newSetup();
    const { host } = await deployRunning(setup);
    const stale = newCall();
    await setup.driver.checkHost(host.handle, 'ws://127.0.0.1:10/graphql', newCall());
    const endpoint = join(hostFolder(setup, host), 'endpoint');
    expect(readFileSync(endpoint, 'utf8')).toBe('ws://127.0.0.1:10/graphql');
    const check = await setup.driver.checkHost(host.handle, 'ws://127.0.0.1:9/graphql', stale);
    expect(check).toEqual({ answers: true });
    expect(readFileSync(endpoint, 'utf8')).toBe('ws://127.0.0.1:10/graphql');
  });

  it('sweeps what a killed agent left behind, once the host starts again', async () => {
    const setup = newSetup();
    const { host, run, identity } = await deployRunning(setup, '?stubborn');
    signalProcess(agentOf(host), 'SIGKILL');
    await until('the agent is dead', () => !isAlive(agentOf(host)));
    expect(isAlive(identity), 'its runtime lives on').toBe(true);
    const check = await setup.driver.checkHost(host.handle, run.endpoint, newCall());
    expect(check.answers).toBe(false);
    const seen = await setup.driver.inspectRuntime(host.handle, run, newCall());
    expect(seen.state).toBe('unknown');
    const kill = setup.driver.killRuntime(host.handle, run, newCall());
    await expect(kill).rejects.toMatchObject({ code: 'HOST_SILENT', retryable: true });
    const again = await setup.driver.allocateHost(host.request, newCall());
    expect(again.address).toBe(host.address);
    expect(isAlive(identity)).toBe(false);
    await eventuallyRuntime(setup.driver, [again, run], 'exited');
  });

  it('has an agent that sweeps by itself, unrecorded runtimes included', async () => {
    const setup = newSetup();
    const { host, run, identity } = await deployRunning(setup, '?stubborn');
    signalProcess(agentOf(host), 'SIGKILL');
    await until('the agent is dead', () => !isAlive(agentOf(host)));
    const folder = hostFolder(setup, host);
    const record = join(folder, 'runtimes', `${run.instanceId}.json`);
    const { run: recorded, fence } = read<RuntimeRecord>(record);
    // As if the agent had been killed between the start and its record.
    writeFileSync(record, JSON.stringify({ fence, run: { ...recorded, identity: null } }));
    const { nonce, processTag } = read<HostRecord>(folder, 'host.json');
    const bundle = readFileSync(`/proc/${identity.pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
    const [sha = ''] = readdirSync(join(setup.folder, 'bundles')).filter((name) =>
      readFileSync(join(setup.folder, 'bundles', name, 'main.mjs'), 'utf8').includes(
        'heartbeatFile',
      ),
    );
    const program = join(setup.folder, 'bundles', sha, 'main.mjs');
    const agent = spawn(bundle, [program, folder, nonce, processTag], { stdio: 'ignore', env: {} });
    await until('the agent has swept', () => !isAlive(identity));
    await until(
      'the agent is up',
      () => read<AgentRecord>(folder, 'agent.json').identity.pid === agent.pid,
    );
    await eventuallyRuntime(setup.driver, [host, run], 'exited');
  });

  it('releases a host whose agent was killed', async () => {
    const setup = newSetup();
    const { host, identity } = await deployRunning(setup, '?stubborn');
    const processTag = tagOf(setup, host);
    signalProcess(agentOf(host), 'SIGKILL');
    await setup.driver.releaseHost(host.request.hostId, null, newCall());
    expect(isAlive(identity)).toBe(false);
    expect(findTagged(processTag)).toEqual([]);
    expect(existsSync(hostFolder(setup, host))).toBe(false);
  });

  it('releases what an interrupted allocation left behind, recorded or not', async () => {
    const setup = newSetup();
    const { host, identity } = await deployRunning(setup);
    const processTag = tagOf(setup, host);
    rmSync(join(hostFolder(setup, host), 'agent.json'));
    rmSync(join(hostFolder(setup, host), 'runtimes'), { recursive: true });
    await setup.driver.releaseHost(host.request.hostId, null, newCall());
    expect([isAlive(identity), isAlive(agentOf(host))]).toEqual([false, false]);
    expect(findTagged(processTag)).toEqual([]);
  });

  it('has an agent that ends itself once its host has another or none', async () => {
    const setup = newSetup();
    const { host, identity } = await deployRunning(setup);
    const file = join(hostFolder(setup, host), 'host.json');
    const record = read<HostRecord>(file);
    writeFileSync(file, JSON.stringify({ ...record, nonce: randomUUID() }));
    await until('both are gone', () => !isAlive(agentOf(host)) && !isAlive(identity));
  });

  it('reports a frozen agent as silent, and restarts it', async () => {
    const setup = newSetup();
    const { host, run, identity } = await deployRunning(setup);
    signalProcess(agentOf(host), 'SIGSTOP');
    const brief = () => newCall({ signal: AbortSignal.timeout(300) });
    const check = await setup.driver.checkHost(host.handle, run.endpoint, brief());
    expect(check.answers).toBe(false);
    const silent = { code: 'HOST_SILENT', retryable: true };
    const kill = setup.driver.killRuntime(host.handle, run, brief());
    await expect(kill).rejects.toMatchObject(silent);
    const start = setup.driver.startRuntime(host.handle, newRun(), brief());
    await expect(start).rejects.toMatchObject(silent);
    const seen = await setup.driver.inspectRuntime(host.handle, run, brief());
    expect(seen.state).toBe('unknown');
    signalProcess(identity, 'SIGKILL');
    await eventuallyFromOutside(setup, host, run.instanceId, run.runId);
    await setup.driver.restartHost(host.request, host.handle, newCall());
    expect(isAlive(agentOf(host))).toBe(false);
  });

  it('ends everything when its heartbeat file is stale, and not before', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'heartbeat-')), 'alive');
    writeFileSync(file, '0');
    const setup = newSetup({ heartbeatFile: { file, seconds: 1 } });
    const { host, identity } = await deployRunning(setup, '?stubborn');
    const began = performance.now();
    await eventually(() => {
      writeFileSync(file, String(performance.now()));
      expect(performance.now() - began).toBeGreaterThan(2_500);
    });
    expect(isAlive(agentOf(host)) && isAlive(identity)).toBe(true);
    rmSync(dirname(file), { recursive: true });
    await until('both are gone', () => !isAlive(agentOf(host)) && !isAlive(identity));
  });

  async function eventuallyFromOutside(
    setup: ProcessSetup,
    host: AllocatedHost,
    instanceId: string,
    runId: string,
  ): Promise<void> {
    await eventually(async () => {
      const call = newCall({ signal: AbortSignal.timeout(200) });
      const seen = await setup.driver.inspectRuntime(host.handle, { instanceId, runId }, call);
      expect(seen.state).toBe('exited');
    });
  }
});
