/**
 * The runtime of one run: connects to the API, does what it is told, and ends with an exit code.
 *
 *     up ── LOAD_SOLUTION ──▶ loaded ── START_LISTENING ──▶ RUNNING ◀── RESUME ── PAUSED
 *                                             (intake CLOSED: PAUSED)  ── PAUSE ──▶
 */
import packageJson from '../../package.json' with { type: 'json' };
import { waitAtMost } from '../timing/time-limit.ts';
import { createApi } from './api.ts';
import { openCloudDevices } from './cloud-devices.ts';
import { createCloudLogs } from './cloud-logs.ts';
import { createCommandQueue } from './commands.ts';
import type { RuntimeConfig } from './config.ts';
import { openConnection } from './connection.ts';
import { type DeviceStorage, openLocalDevices } from './devices.ts';
import { faultText } from './fields.ts';
import { createListening, type Listening } from './listening.ts';
import { type Log, openLocalLogs } from './log.ts';
import type { CommandResult, Counters, RuntimeCommand } from './protocol.ts';
import { type LoadedSolution, loadSolution } from './solution.ts';
import { hasOutbox } from './value-outbox.ts';

/** Exit codes of the program. */
export const exitCodes = {
  /** Stopped, by STOP or a signal. */
  stopped: 0,
  /** A fault that it could not recover from; it was reported as FAULT. */
  fault: 1,
  /** The environment or the key was wrong; nothing was opened. */
  misconfigured: 2,
  /** The run is over for the API. */
  runEnded: 3,
} as const;

export interface Runtime {
  /** Resolves with the exit code when everything is closed. */
  readonly finished: Promise<number>;
  /** Closes everything, as STOP does, and finishes. */
  stop(): Promise<void>;
  /** Reports a fault that it cannot recover from, within a second, and finishes. */
  fault(error: unknown): Promise<void>;
}

interface LoadPayload {
  readonly solution: { readonly key: string; readonly version: string; definition: unknown };
  readonly settings?: Record<string, unknown> | null;
  readonly secretSettings?: readonly string[] | null;
  readonly workingStorage: 'CLOUD' | 'LOCAL';
  readonly deviceStorage: 'CLOUD' | 'LOCAL';
}

const drainMilliseconds = 5_000;
const flushMilliseconds = 2_000;
/** Well within the deadline of PAUSING. */
const pauseFlushMilliseconds = 10_000;
const faultMilliseconds = 1_000;

/** Starts the runtime. */
export function startRuntime(config: RuntimeConfig, runKey: string, log: Log): Runtime {
  const startedAt = Date.now();
  const counters: Counters = {
    messagesAccepted: 0,
    messagesRejected: 0,
    inputCommands: 0,
    valuesRefused: 0,
  };
  const hurry = new AbortController();
  const hurried = new Promise<void>((resolve) =>
    hurry.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  let phase: 'UP' | 'LOADED' | 'RUNNING' | 'PAUSING' | 'PAUSED' | 'CLOSED' = 'UP';
  let solution: LoadedSolution | undefined;
  let devices: DeviceStorage | undefined;
  /** Values for the API from before the storage of devices became LOCAL. */
  let leftBehind: DeviceStorage | undefined;
  let listening: Listening | undefined;
  let rejected = { count: 0, last: '' };
  let closing: Promise<void> | undefined;
  let ending: Promise<void> | undefined;
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const connection = openConnection({
    endpoint: config.endpoint,
    runKey,
    log,
    onConnected: async () => {
      const answer = await api.reportOnline();
      if (answer.code !== undefined) log.warn(`ONLINE was refused: ${answer.message}`);
    },
    onCommand: (command) => queue.receive(command),
    onRunEnded: (reason) => void end(exitCodes.runEnded, `The run is over: ${reason}`),
  });
  const api = createApi(config.run, connection);
  const queue = createCommandQueue({
    run: config.run,
    api,
    log,
    execute,
    onStopReceived: hurryUp,
    onStopped: () => void end(exitCodes.stopped, 'Stopped.'),
  });
  const heartbeat = setInterval(() => void beat(), config.heartbeatSeconds * 1_000);
  log.info(`Runtime ${packageJson.version} of instance ${config.instance}, run ${config.run}.`);

  async function execute({ kind, payload }: RuntimeCommand): Promise<CommandResult> {
    if (kind === 'STOP') {
      await close();
      return { outcome: 'DONE' };
    }
    if (phase === 'CLOSED') return failed('The runtime is stopping.');
    switch (kind) {
      case 'LOAD_SOLUTION':
        return load(payload as LoadPayload);
      case 'START_LISTENING':
        return await open((payload as { intake?: string }).intake !== 'CLOSED');
      case 'RESUME':
        return await open(true);
      case 'PAUSE':
        return await pause();
      default:
        return failed(
          `This runtime (${packageJson.version}) does not know the command ${kind satisfies never}.`,
        );
    }
  }

  function load(payload: LoadPayload): CommandResult {
    if (phase !== 'UP' && phase !== 'LOADED') return failed('A solution is running already.');
    const { workingStorage, deviceStorage } = payload;
    const folder = config.workFolder;
    log.keepIn(workingStorage === 'LOCAL' ? openLocalLogs(folder) : createCloudLogs(api));
    const { key, version, definition } = payload.solution;
    const loaded = loadSolution({
      key,
      version,
      definition,
      settings: payload.settings ?? {},
      secretSettings: payload.secretSettings ?? [],
      runtimeVersion: packageJson.version,
    });
    if ('faults' in loaded) {
      return failed(`Solution ${key} ${version} cannot be loaded: ${faultText(loaded.faults)}.`);
    }
    devices?.close();
    leftBehind?.close();
    leftBehind = undefined;
    const cloud = { folder, run: config.run, api, counters, log };
    if (deviceStorage === 'CLOUD') devices = openCloudDevices(cloud);
    else {
      devices = openLocalDevices(folder);
      if (hasOutbox(folder)) leftBehind = openCloudDevices(cloud);
    }
    solution = loaded.solution;
    listening = createListening({
      address: config.address,
      hostNames: config.hostNames,
      solution,
      devices,
      counters,
      status,
      onError: (text) => log.error(text),
      onRejected: (text) => {
        rejected = { count: rejected.count + 1, last: text };
      },
    });
    phase = 'LOADED';
    return { outcome: 'DONE' };
  }

  async function open(intake: boolean): Promise<CommandResult> {
    if (listening === undefined) return failed('No solution is loaded; LOAD_SOLUTION comes first.');
    const wasListening = phase !== 'LOADED';
    try {
      await listening.openInputCommands();
      if (intake) await listening.openMessages();
    } catch (error) {
      if (!wasListening) await listening.closeAll(AbortSignal.abort());
      return failed(error instanceof Error ? error.message : String(error));
    }
    if (intake || !wasListening) phase = intake ? 'RUNNING' : 'PAUSED';
    return { outcome: 'DONE', endpoints: listening.endpoints() };
  }

  async function pause(): Promise<CommandResult> {
    if (listening === undefined || devices === undefined || phase === 'LOADED') {
      return failed('Nothing is open that could be paused; START_LISTENING comes first.');
    }
    phase = 'PAUSING';
    await listening.closeMessages(hurry.signal);
    // The rest is delivered while the instance is paused, or in the next run.
    await Promise.race([waitAtMost(pauseFlushMilliseconds, devices.flushed()), hurried]);
    phase = 'PAUSED';
    return { outcome: 'DONE', endpoints: listening.endpoints() };
  }

  function status(): object {
    return {
      state: phase,
      instance: config.instance,
      solution: { key: solution?.key, version: solution?.version },
      uptimeSeconds: Math.floor((Date.now() - startedAt) / 1_000),
      counters,
    };
  }

  async function beat(): Promise<void> {
    if (rejected.count > 0) {
      log.warn(`${rejected.count} messages were refused; the last by ${rejected.last}`);
      rejected = { count: 0, last: '' };
    }
    await api.reportHeartbeat(counters).catch(() => {});
  }

  /** Running requests get a few seconds, then they are cut off, because the stop has a deadline. */
  function hurryUp(): void {
    setTimeout(() => hurry.abort(), drainMilliseconds).unref();
  }

  /** Closes all listeners and stores what was accepted. A repeat waits for the first call. */
  function close(): Promise<void> {
    closing ??= (async () => {
      phase = 'CLOSED';
      hurryUp();
      await listening?.closeAll(hurry.signal);
      await waitAtMost(flushMilliseconds, devices?.flushed());
    })();
    return closing;
  }

  /** Only the first reason to end counts. */
  function end(code: number, text: string): Promise<void> {
    ending ??= shutDown(code, text);
    return ending;
  }

  async function shutDown(code: number, text: string): Promise<void> {
    if (code === exitCodes.stopped) log.info(text);
    else log.error(text);
    await close();
    clearInterval(heartbeat);
    if (code !== exitCodes.runEnded) await waitAtMost(flushMilliseconds, log.flushed());
    await connection.close();
    devices?.close();
    leftBehind?.close();
    log.close();
    finish(code);
  }

  return {
    finished,
    stop: () => end(exitCodes.stopped, 'Told to stop by a signal.'),
    async fault(error) {
      const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error(`Fault: ${stack}`);
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      const report = api.reportFault(message).catch(() => {});
      await waitAtMost(faultMilliseconds, Promise.all([report, log.flushed()]));
      finish(exitCodes.fault);
    },
  };
}

function failed(message: string): CommandResult {
  return { outcome: 'FAILED', message };
}
