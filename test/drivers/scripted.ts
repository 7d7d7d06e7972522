/** A driver whose machine is a few maps, and which does as the test says. */
import { createHash, randomUUID } from 'node:crypto';
import {
  type AllocatedHost,
  type Call,
  type DeployCall,
  DriverError,
  type Handle,
  type Holding,
  type HostObservation,
  type RuntimeObservation,
  type RuntimeRef,
  type Verb,
} from '../../src/drivers/driver.ts';
import type {
  DriverCall,
  Script,
  ScriptedDriver,
  ScriptedHost,
  ScriptedRuntime,
} from './script.ts';

interface Machine {
  readonly calls: DriverCall[];
  readonly hosts: Map<string, ScriptedHost>;
  readonly runtimes: Map<string, ScriptedRuntime>;
  readonly fences: Map<string, bigint>;
  readonly failures: Map<Verb, { error: DriverError; times: number }>;
  readonly hanging: Set<Verb>;
  readonly listeners: Array<(runtime: ScriptedRuntime) => void>;
  readonly watches: Set<{ onExit(runtime: RuntimeRef): void; end(): void }>;
  obeysStops: boolean;
  addressesGiven: number;
  readonly capacity: { cpus: number; memoryBytes: number };
}

/** As those of the process driver. */
const limits: Readonly<Record<Verb, number>> = {
  inspectEngine: 5,
  listHoldings: 10,
  allocateHost: 60,
  checkHost: 10,
  restartHost: 120,
  releaseHost: 60,
  deployContainer: 300,
  startRuntime: 60,
  stopRuntime: 5,
  killRuntime: 4,
  removeRuntime: 4,
  inspectRuntime: 5,
};

/** A driver that works at once and in order, until its `script` is told otherwise. */
export function createScriptedDriver(): ScriptedDriver {
  return open({
    calls: [],
    hosts: new Map(),
    runtimes: new Map(),
    fences: new Map(),
    failures: new Map(),
    hanging: new Set(),
    listeners: [],
    watches: new Set(),
    obeysStops: true,
    addressesGiven: 0,
    capacity: { cpus: 64, memoryBytes: 64 * 1024 ** 3 },
  });
}

function open(machine: Machine): ScriptedDriver {
  const { hosts, runtimes } = machine;
  const closing = new AbortController();

  const enter = async (verb: Verb, subject: string, call: Call): Promise<void> => {
    machine.calls.push({ verb, subject, fence: call.fencingToken });
    const signal = AbortSignal.any([call.signal, closing.signal]);
    if (machine.hanging.has(verb) && !signal.aborted) {
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    }
    if (signal.aborted) throw hostSilent(`${verb} was not done in time`);
    const failure = machine.failures.get(verb);
    if (failure && failure.times > 0) {
      failure.times -= 1;
      throw failure.error;
    }
  };
  const admit = (subject: string, fence: bigint): void => {
    const seen = machine.fences.get(subject) ?? -1n;
    if (fence < seen) {
      const message = `${subject} has seen ${seen}, so ${fence} is refused.`;
      throw new DriverError('FENCED', message, { retryable: false });
    }
    machine.fences.set(subject, fence);
  };
  const hostBehind = (handle: Handle): ScriptedHost => {
    const host = hosts.get(String(handle.hostId));
    if (!host?.answers) throw hostSilent('the host does not answer');
    return host;
  };
  const endRuntimes = (hostId: string): void => {
    for (const runtime of runtimes.values()) {
      if (runtime.hostId === hostId) exit(machine, runtime, { exitCode: null, signal: 'SIGKILL' });
    }
  };
  const newAddress = (): string => {
    machine.addressesGiven += 1;
    return `127.99.${machine.addressesGiven >> 8}.${machine.addressesGiven & 255}`;
  };
  const allocate = (hostId: string): AllocatedHost => {
    const host = hosts.get(hostId) ?? {
      hostId,
      address: newAddress(),
      answers: true,
      endpoint: null,
      imageDigest: null,
    };
    hosts.set(hostId, host);
    return { handle: { hostId, machine: 'scripted' }, address: host.address };
  };

  const end = async (
    verb: 'killRuntime' | 'removeRuntime',
    handle: Handle,
    [{ instanceId, runId }, call]: readonly [RuntimeRef, Call],
  ): Promise<void> => {
    await enter(verb, instanceId, call);
    if (!hosts.has(String(handle.hostId))) return;
    hostBehind(handle);
    admit(`instance ${instanceId}`, call.fencingToken);
    const runtime = runtimes.get(instanceId);
    if (runtime?.request.runId === runId)
      exit(machine, runtime, { exitCode: null, signal: 'SIGKILL' });
  };

  return {
    kind: 'PROCESS',
    limits,
    script: scriptOf(machine),

    async inspectEngine(call) {
      await enter('inspectEngine', 'engine', call);
      return { version: '1', platform: 'scripted/none', capacity: machine.capacity };
    },

    async listHoldings(call) {
      await enter('listHoldings', 'engine', call);
      const alive = [...runtimes.values()].filter(
        ({ observation }) => observation.state !== 'exited',
      );
      return [
        ...[...hosts.keys()].map((hostId): Holding => ({ hostId, runtime: null })),
        ...alive.map(({ hostId, request: { instanceId, runId } }) => ({
          hostId,
          runtime: { instanceId, runId },
          hasExited: false,
        })),
      ];
    },

    async allocateHost({ hostId }, call) {
      await enter('allocateHost', hostId, call);
      admit(`host ${hostId}`, call.fencingToken);
      return allocate(hostId);
    },

    async checkHost(handle, endpoint, call): Promise<HostObservation> {
      try {
        await enter('checkHost', String(handle.hostId), call);
        hostBehind(handle).endpoint = endpoint;
        return { answers: true };
      } catch (error) {
        return { answers: false, reason: (error as Error).message };
      }
    },

    async restartHost({ hostId }, _handle, call) {
      await enter('restartHost', hostId, call);
      admit(`host ${hostId}`, call.fencingToken);
      endRuntimes(hostId);
      const host = allocate(hostId);
      const known = hosts.get(hostId);
      if (known) known.answers = true;
      return host;
    },

    async releaseHost(hostId, _handle, call) {
      await enter('releaseHost', hostId, call);
      admit(`host ${hostId}`, call.fencingToken);
      endRuntimes(hostId);
      hosts.delete(hostId);
    },

    async deployContainer(handle, image, call: DeployCall) {
      await enter('deployContainer', String(handle.hostId), call);
      const host = hostBehind(handle);
      admit(`host ${host.hostId}`, call.fencingToken);
      const hash = createHash('sha256').update(JSON.stringify(image)).digest('hex');
      host.imageDigest = `sha256:${hash}`;
      for (const fraction of [0.5, 1]) call.onProgress?.(fraction, `${fraction * 2} of 2 layers`);
      return { imageDigest: host.imageDigest };
    },

    async startRuntime(handle, request, call) {
      await enter('startRuntime', request.instanceId, call);
      const host = hostBehind(handle);
      admit(`instance ${request.instanceId}`, call.fencingToken);
      const imageDigest = host.imageDigest ?? `sha256:${'0'.repeat(64)}`;
      const earlier = runtimes.get(request.instanceId);
      const published = Object.fromEntries(
        request.ports.map(({ listener, port }) => [listener, { address: host.address, port }]),
      );
      if (earlier?.request.runId === request.runId) return { imageDigest, published };
      const runtime: ScriptedRuntime = {
        request,
        hostId: host.hostId,
        observation: { state: 'running' },
        stopRequests: 0,
      };
      runtimes.set(request.instanceId, runtime);
      for (const listener of machine.listeners) listener(runtime);
      return { imageDigest, published };
    },

    async stopRuntime(handle, { instanceId, runId }, call) {
      await enter('stopRuntime', instanceId, call);
      if (!hosts.has(String(handle.hostId))) return; // released, and its runtimes with it
      hostBehind(handle);
      admit(`instance ${instanceId}`, call.fencingToken);
      const runtime = runtimes.get(instanceId);
      if (runtime?.request.runId !== runId) return;
      runtime.stopRequests += 1;
      if (machine.obeysStops) exit(machine, runtime, { exitCode: 0, signal: null });
    },

    killRuntime: (handle, ref, call) => end('killRuntime', handle, [ref, call]),

    async removeRuntime(handle, ref, call) {
      await end('removeRuntime', handle, [ref, call]);
      if (runtimes.get(ref.instanceId)?.request.runId === ref.runId)
        runtimes.delete(ref.instanceId);
    },

    async inspectRuntime(handle, name: RuntimeRef, call): Promise<RuntimeObservation> {
      try {
        await enter('inspectRuntime', name.instanceId, call);
        if (hosts.has(String(handle.hostId))) hostBehind(handle);
      } catch (error) {
        return { state: 'unknown', reason: (error as Error).message };
      }
      const runtime = runtimes.get(name.instanceId);
      if (runtime?.request.runId === name.runId) return runtime.observation;
      return { state: 'exited', exitCode: null, signal: null, logTail: '' };
    },

    async watch({ signal, onOpen, onExit }) {
      const ended = AbortSignal.any([signal, closing.signal]);
      const watch = { onExit, end: (): void => undefined };
      machine.watches.add(watch);
      await new Promise<void>((resolve) => {
        watch.end = resolve;
        ended.addEventListener('abort', () => resolve(), { once: true });
        onOpen();
      });
      machine.watches.delete(watch);
      if (ended.aborted) throw hostSilent('the watch is over');
    },

    async close() {
      closing.abort();
    },
  };
}

function scriptOf(machine: Machine): Script {
  const runtimeOf = (instanceId: string): ScriptedRuntime => {
    const runtime = machine.runtimes.get(instanceId);
    if (!runtime) throw new Error(`No runtime of instance ${instanceId} was ever started.`);
    return runtime;
  };
  return {
    calls: machine.calls,
    hosts: machine.hosts,
    runtimes: machine.runtimes,
    fail(verb, error = scriptedFailure(verb), times = Number.POSITIVE_INFINITY) {
      machine.failures.set(verb, { error, times });
    },
    hang: (verb) => void machine.hanging.add(verb),
    heal(verb) {
      for (const settings of [machine.failures, machine.hanging]) {
        if (verb) settings.delete(verb);
        else settings.clear();
      }
    },
    obeyStops(obeys) {
      machine.obeysStops = obeys;
    },
    setHostAnswers(hostId, answers) {
      const host = machine.hosts.get(hostId);
      if (!host) throw new Error(`Host ${hostId} was never allocated.`);
      host.answers = answers;
    },
    exitRuntime(instanceId, { exitCode = 1, signal = null, logTail = '' } = {}) {
      const runtime = runtimeOf(instanceId);
      exit(machine, runtime, { exitCode, signal });
      runtime.observation = { state: 'exited', exitCode, signal, logTail };
    },
    watched: () => machine.watches.size,
    endWatches() {
      for (const { end } of machine.watches) end();
    },
    setRuntime(instanceId, observation) {
      runtimeOf(instanceId).observation = observation;
    },
    onStarted: (listener) => void machine.listeners.push(listener),
    reopen: () => open(machine),
  };
}

function exit(
  { watches }: Machine,
  runtime: ScriptedRuntime,
  how: { exitCode: number | null; signal: string | null },
): void {
  if (runtime.observation.state === 'exited') return;
  runtime.observation = { state: 'exited', ...how, logTail: '' };
  const { instanceId, runId } = runtime.request;
  for (const { onExit } of watches) onExit({ instanceId, runId });
}

function hostSilent(reason: string): DriverError {
  return new DriverError('HOST_SILENT', `The host cannot be asked: ${reason}.`, {
    retryable: true,
  });
}

function scriptedFailure(verb: Verb): DriverError {
  const message = `The test lets ${verb} fail (${randomUUID()}).`;
  return new DriverError('SCRIPTED', message, { retryable: true });
}
