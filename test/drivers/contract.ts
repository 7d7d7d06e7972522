/** What every driver promises, whatever stands behind it. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  AllocatedHost,
  Driver,
  HostRequest,
  RuntimeObservation,
  RuntimeRef,
} from '../../src/drivers/driver.ts';
import { eventually } from '../harness/eventually.ts';
import { image, newCall, newHost, newRun } from './calls.ts';

const hostSilent = { name: 'DriverError', retryable: true };

/** A driver under test, and what the suite needs of the machine under it. */
export interface DriverSubject {
  readonly driver: Driver;
  /** Has each host an address of its own? Else the ports tell them apart. */
  readonly hasAddressPerHost: boolean;
  /** A second driver over the same machine, as after a restart of the server. */
  reopen(): Promise<Driver>;
  /** Makes a running runtime end by itself with this code. */
  exitRuntime(runtime: RuntimeRef, exitCode: number): Promise<void>;
  /** How many runtimes of the instance are alive now, whoever started them. */
  countRuntimes(instanceId: string): Promise<number>;
  close(): Promise<void>;
}

/** Asks until the runtime is in that state. */
export async function eventuallyRuntime<State extends RuntimeObservation['state']>(
  driver: Driver,
  [host, runtime]: readonly [AllocatedHost, RuntimeRef],
  state: State,
): Promise<Extract<RuntimeObservation, { state: State }>> {
  return eventually(async () => {
    const seen = await driver.inspectRuntime(host.handle, runtime, newCall());
    expect(seen).toMatchObject({ state });
    return seen as Extract<RuntimeObservation, { state: State }>;
  });
}

/** Declares the suite for one driver. */
export function describeDriver(name: string, create: () => Promise<DriverSubject>): void {
  describe(`the contract of drivers: ${name}`, () => {
    let subject: DriverSubject;
    let driver: Driver;
    beforeAll(async () => {
      subject = await create();
      driver = subject.driver;
    });
    afterAll(() => subject.close());

    async function deployed(): Promise<AllocatedHost & { request: HostRequest }> {
      const request = newHost();
      const host = await driver.allocateHost(request, newCall());
      await driver.deployContainer(host.handle, image, newCall());
      return { ...host, request };
    }

    it('allocates a host that answers, and finds it again', async () => {
      const request = newHost();
      const first = await driver.allocateHost(request, newCall());
      const again = await driver.allocateHost(request, newCall());
      expect(again).toEqual(first);
      expect(first.address).toMatch(/^[0-9a-f.:]+$/);
      expect(JSON.parse(JSON.stringify(first.handle))).toEqual(first.handle);
      const check = await driver.checkHost(first.handle, newRun().endpoint, newCall());
      expect(check).toEqual({ answers: true });
    });

    it('gives hosts that are allocated at once addresses', async () => {
      const requests = [newHost(), newHost(), newHost()];
      const hosts = await Promise.all(requests.map((one) => driver.allocateHost(one, newCall())));
      const addresses = new Set(hosts.map((host) => host.address));
      expect(addresses.size).toBe(subject.hasAddressPerHost ? 3 : 1);
    });

    it('allocates one host for two calls at once', async () => {
      const request = newHost();
      const call = newCall();
      const second = await subject.reopen();
      const [one, other] = await Promise.all([
        driver.allocateHost(request, call),
        second.allocateHost(request, call),
      ]);
      expect(one).toEqual(other);
      await second.close();
    });

    it('deploys the same digest each time', async () => {
      const { handle } = await deployed();
      const first = await driver.deployContainer(handle, image, newCall());
      expect(first.imageDigest).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(await driver.deployContainer(handle, image, newCall())).toEqual(first);
    });

    it('starts a run once, and reports it as running', async () => {
      const host = await deployed();
      const run = newRun();
      const started = await driver.startRuntime(host.handle, run, newCall());
      expect(started.imageDigest).toMatch(/^sha256:/);
      await driver.startRuntime(host.handle, run, newCall());
      await eventuallyRuntime(driver, [host, run], 'running');
      expect(await subject.countRuntimes(run.instanceId)).toBe(1);
    });

    it('reports an exit with its code, and does not start that run again', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      await subject.exitRuntime(run, 3);
      const exit = await eventuallyRuntime(driver, [host, run], 'exited');
      expect(exit).toMatchObject({ exitCode: 3, signal: null });
      await driver.startRuntime(host.handle, run, newCall());
      expect(await driver.inspectRuntime(host.handle, run, newCall())).toEqual(exit);
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
    });

    it('ends an earlier run before it starts the next', async () => {
      const host = await deployed();
      const first = newRun();
      const next = { ...first, runId: randomUUID() };
      await driver.startRuntime(host.handle, first, newCall());
      await driver.startRuntime(host.handle, next, newCall());
      await eventuallyRuntime(driver, [host, next], 'running');
      await eventuallyRuntime(driver, [host, first], 'exited');
      expect(await subject.countRuntimes(first.instanceId)).toBe(1);
    });

    it('stops a runtime that obeys; stopping and killing the stopped succeed', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      // A signal that comes before the program has set its handler ends it, or is lost.
      await eventually(async () => {
        await driver.stopRuntime(host.handle, run, newCall());
        const seen = await driver.inspectRuntime(host.handle, run, newCall());
        expect(seen.state).toBe('exited');
      });
      await driver.stopRuntime(host.handle, run, newCall());
      await driver.killRuntime(host.handle, run, newCall());
    });

    it('kills a runtime for certain', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      await driver.killRuntime(host.handle, run, newCall());
      expect(await driver.inspectRuntime(host.handle, run, newCall())).toMatchObject({
        state: 'exited',
        signal: 'SIGKILL',
      });
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
    });

    it('leaves the new run alone when an old one is stopped or killed', async () => {
      const host = await deployed();
      const old = newRun();
      const run = { ...old, runId: randomUUID() };
      await driver.startRuntime(host.handle, old, newCall());
      await driver.startRuntime(host.handle, run, newCall());
      await driver.stopRuntime(host.handle, old, newCall());
      await driver.killRuntime(host.handle, old, newCall());
      await eventuallyRuntime(driver, [host, run], 'running');
    });

    it('refuses a smaller fencing token, for each instance and for the host', async () => {
      const host = await deployed();
      const stale = newCall();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      const fenced = { code: 'FENCED', retryable: false };
      await expect(driver.killRuntime(host.handle, run, stale)).rejects.toMatchObject(fenced);
      await expect(driver.stopRuntime(host.handle, run, stale)).rejects.toMatchObject(fenced);
      const other = { ...run, runId: randomUUID() };
      await expect(driver.startRuntime(host.handle, other, stale)).rejects.toMatchObject(fenced);
      await eventuallyRuntime(driver, [host, run], 'running');
      await driver.startRuntime(host.handle, newRun(), stale); // another subject
      await driver.restartHost(host.request, host.handle, newCall());
      const restart = driver.restartHost(host.request, host.handle, stale);
      await expect(restart).rejects.toMatchObject(fenced);
      const release = driver.releaseHost(host.request.hostId, host.handle, stale);
      await expect(release).rejects.toMatchObject(fenced);
    });

    it('restarts a host: the runtimes are gone, the address stays', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      const restarted = await driver.restartHost(host.request, host.handle, newCall());
      expect(restarted.address).toBe(host.address);
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
      await eventually(async () => {
        const check = await driver.checkHost(restarted.handle, run.endpoint, newCall());
        expect(check).toEqual({ answers: true });
      });
      await eventuallyRuntime(driver, [restarted, run], 'exited');
      const next = { ...run, runId: randomUUID() };
      await driver.startRuntime(restarted.handle, next, newCall());
      await eventuallyRuntime(driver, [restarted, next], 'running');
    });

    it('releases a host with all that was on it, again and again, known or not', async () => {
      const host = await deployed();
      const run = newRun();
      const late = newCall();
      await driver.startRuntime(host.handle, run, newCall());
      await driver.releaseHost(host.request.hostId, host.handle, newCall());
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
      const check = await driver.checkHost(host.handle, run.endpoint, newCall());
      expect(check.answers).toBe(false);
      await eventuallyRuntime(driver, [host, run], 'exited');
      await driver.stopRuntime(host.handle, run, newCall());
      await driver.killRuntime(host.handle, run, newCall());
      await driver.releaseHost(host.request.hostId, host.handle, newCall());
      await driver.releaseHost(host.request.hostId, null, newCall());
      await driver.releaseHost(randomUUID(), null, newCall());
      const allocate = driver.allocateHost(host.request, late);
      await expect(allocate).rejects.toMatchObject({ code: 'FENCED' });
    });

    it('releases by the id alone what an interrupted allocation left behind', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      await driver.releaseHost(host.request.hostId, null, newCall());
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
      const check = await driver.checkHost(host.handle, run.endpoint, newCall());
      expect(check.answers).toBe(false);
    });

    it('works on from stored handles in a new server', async () => {
      const host = await deployed();
      const run = newRun();
      await driver.startRuntime(host.handle, run, newCall());
      const second = await subject.reopen();
      const stored = { ...host, handle: JSON.parse(JSON.stringify(host.handle)) };
      await eventuallyRuntime(second, [stored, run], 'running');
      const check = await second.checkHost(stored.handle, run.endpoint, newCall());
      expect(check).toEqual({ answers: true });
      await second.killRuntime(stored.handle, run, newCall());
      expect(await subject.countRuntimes(run.instanceId)).toBe(0);
      await second.close();
      const own = await driver.checkHost(host.handle, run.endpoint, newCall());
      expect(own).toEqual({ answers: true });
    });

    it('says what the engine is, and how long each verb may take', async () => {
      const { version, platform, capacity } = await driver.inspectEngine(newCall());
      expect(version).toMatch(/\d/);
      expect(platform).toMatch(/^\w+\/\w+$/);
      expect(capacity.cpus).toBeGreaterThan(0);
      expect(capacity.memoryBytes).toBeGreaterThan(1024 ** 3);
      for (const seconds of Object.values(driver.limits)) expect(seconds).toBeGreaterThan(0);
    });

    it('publishes the ports of a runtime, the same to a repeated call', async () => {
      const host = await deployed();
      const ports = [
        { listener: 'input-commands', port: 0 },
        { listener: 'climate', port: 0 },
      ];
      const run = newRun({ ports });
      const { published } = await driver.startRuntime(host.handle, run, newCall());
      expect(await driver.startRuntime(host.handle, run, newCall())).toMatchObject({ published });
      // A runtime that listens on the address of the host itself says where.
      const names = ports.map(({ listener }) => listener);
      expect(names).toEqual(expect.arrayContaining(Object.keys(published)));
      for (const { address } of Object.values(published)) expect(address).toBe(host.address);
    });

    it('tells how far a deployment is, if it takes any time', async () => {
      const host = await driver.allocateHost(newHost(), newCall());
      const told: number[] = [];
      const onProgress = (fraction: number): void => void told.push(fraction);
      await driver.deployContainer(host.handle, image, { ...newCall(), onProgress });
      expect(told).toEqual(told.filter((each) => each >= 0 && each <= 1).sort((a, b) => a - b));
    });

    it('lists what it holds, and removes it, for any server', async () => {
      const host = await deployed();
      const { hostId } = host.request;
      const { instanceId, runId, ...rest } = newRun();
      const runtime = { instanceId, runId };
      await driver.startRuntime(host.handle, { ...rest, ...runtime }, newCall());
      const second = await subject.reopen();
      const held = async () =>
        (await second.listHoldings(newCall())).filter((each) => each.hostId === hostId);
      expect(await held()).toEqual([
        { hostId, runtime: null },
        { hostId, runtime, hasExited: false },
      ]);
      await second.removeRuntime(host.handle, runtime, newCall());
      await second.removeRuntime(host.handle, runtime, newCall());
      expect(await subject.countRuntimes(instanceId)).toBe(0);
      expect(await held()).toEqual([{ hostId, runtime: null }]);
      await second.releaseHost(hostId, null, newCall());
      expect(await held()).toEqual([]);
      await second.close();
    });

    it('tells of exits and removals, or tells nothing; the list shows what it missed', async () => {
      const host = await deployed();
      const { hostId } = host.request;
      const run = newRun();
      const runtime = { instanceId: run.instanceId, runId: run.runId };
      await driver.startRuntime(host.handle, run, newCall());
      await eventuallyRuntime(driver, [host, run], 'running');
      const over = new AbortController();
      const told: RuntimeRef[] = [];
      let isOpen = false;
      const onOpen = (): void => {
        isOpen = true;
      };
      const onExit = (exited: RuntimeRef): void => void told.push(exited);
      const call = { ...newCall({ signal: over.signal }), onOpen, onExit };
      const watch = driver.watch?.(call);
      const ended = expect(watch ?? Promise.reject(hostSilent)).rejects.toMatchObject(hostSilent);
      if (watch) await eventually(async () => expect(isOpen).toBe(true));
      await subject.exitRuntime(run, 3);
      await eventuallyRuntime(driver, [host, run], 'exited');
      if (watch) await eventually(async () => expect(told).toContainEqual(runtime));
      const held = await driver.listHoldings(newCall());
      const listed = held.filter((each) => each.hostId === hostId && each.runtime);
      expect([[], [{ hostId, runtime, hasExited: true }]]).toContainEqual(listed);
      over.abort();
      await ended;
    });

    it('gives up at once when the call is over', async () => {
      const host = await deployed();
      const run = newRun();
      const over = () => newCall({ signal: AbortSignal.abort() });
      const retryable = { name: 'DriverError', retryable: true };
      await expect(driver.allocateHost(newHost(), over())).rejects.toMatchObject(retryable);
      await expect(driver.inspectEngine(over())).rejects.toMatchObject(retryable);
      await expect(driver.listHoldings(over())).rejects.toMatchObject(retryable);
      const start = driver.startRuntime(host.handle, run, over());
      await expect(start).rejects.toMatchObject(retryable);
      const release = driver.releaseHost(host.request.hostId, host.handle, over());
      await expect(release).rejects.toMatchObject(retryable);
      const check = await driver.checkHost(host.handle, run.endpoint, over());
      expect(check.answers).toBe(false);
      const seen = await driver.inspectRuntime(host.handle, run, over());
      expect(seen.state).toBe('unknown');
    });
  });
}
