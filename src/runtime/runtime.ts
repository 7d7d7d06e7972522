/** The runtime of one run: connects to the API, executes its commands, and ends with an exit code. */
import packageJson from '../../package.json' with { type: 'json' };
import { waitAtMost } from '../timing/time-limit.ts';
import { createApi } from './api.ts';
import { createLogCopy } from './cloud-logs.ts';
import { createCommandQueue } from './commands.ts';
import type { RuntimeConfig } from './config.ts';
import { openConnection } from './connection.ts';
import { Instance } from './instance.ts';
import type { Log } from './log.ts';
import type { Counters } from './protocol.ts';
import type { StartMessage } from './start-message.ts';

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
  /** Closes everything, as STOP does, and finishes within the 9 s that the host leaves it. */
  stop(): Promise<void>;
  /** Reports a fault that it cannot recover from, within a second, and finishes. */
  fault(error: unknown): Promise<void>;
}

/** Time for requests that are not complete when STOP arrives. */
const stopDrainMilliseconds = 5_000;
/**
 * The same after a signal: the host ends. With a second for answers, two for values, two for the
 * log and one for the connection it stays below `runtimeGraceMs` of the host agent.
 */
const signalDrainMilliseconds = 2_000;
const logFlushMilliseconds = 2_000;
const faultMilliseconds = 1_000;

/** Starts the runtime. */
export function startRuntime(config: RuntimeConfig, message: StartMessage, log: Log): Runtime {
  const counters: Counters = {
    messagesAccepted: 0,
    messagesRejected: 0,
    inputCommands: 0,
    valuesRefused: 0,
  };
  let rejected = { count: 0, last: '' };
  let ending: Promise<void> | undefined;
  let finish: (code: number) => void = () => {};
  const finished = new Promise<number>((resolve) => {
    finish = resolve;
  });

  const connection = openConnection({
    endpoints: config.endpoints,
    runKey: message.runKey,
    authorities: message.authorities,
    log,
    onConnected: async () => {
      const answer = await api.reportOnline();
      if (answer.code !== undefined) log.warn(`ONLINE was refused: ${answer.message}`);
    },
    onCommand: (command) => queue.receive(command),
    onLogWatch: (watch) =>
      log.copyTo(watch === null ? null : (newest) => createLogCopy(api, watch, newest)),
    onRunEnded: (reason) => void end(exitCodes.runEnded, `The run is over: ${reason}`),
  });
  const api = createApi(config.run, connection);
  const instance = new Instance({
    ...{ config, api, log, counters, published: message.published },
    onRejected: (text) => {
      rejected = { count: rejected.count + 1, last: text };
    },
  });
  const queue = createCommandQueue({
    run: config.run,
    api,
    log,
    execute: (command) => instance.execute(command),
    onStopReceived: () => instance.hurryUp(stopDrainMilliseconds),
    onStopped: () => void end(exitCodes.stopped, 'Stopped.'),
  });
  const heartbeat = setInterval(() => void beat(), config.heartbeatSeconds * 1_000);
  log.info(`Runtime ${packageJson.version} of instance ${config.instance}, run ${config.run}.`);

  async function beat(): Promise<void> {
    if (rejected.count > 0) {
      log.warn(`${rejected.count} messages were refused; the last by ${rejected.last}`);
      rejected = { count: 0, last: '' };
    }
    await api.reportHeartbeat(counters).catch(() => {});
  }

  /** Only the first reason to end counts. */
  function end(code: number, text: string): Promise<void> {
    ending ??= shutDown(code, text);
    return ending;
  }

  async function shutDown(code: number, text: string): Promise<void> {
    if (code === exitCodes.stopped) log.info(text);
    else log.error(text);
    await instance.close();
    clearInterval(heartbeat);
    if (code !== exitCodes.runEnded) await waitAtMost(logFlushMilliseconds, log.flushed());
    await connection.close();
    instance.release();
    log.close();
    finish(code);
  }

  return {
    finished,
    stop() {
      instance.hurryUp(signalDrainMilliseconds);
      return end(exitCodes.stopped, 'Told to stop by a signal.');
    },
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
