/**
 * The commands of a run. They are executed in order, each once. A completion is repeated until the
 * API has acknowledged it. If a command arrives again, only its completion is sent again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../timing/back-off.ts';
import { waitAtMost } from '../timing/time-limit.ts';
import type { Api } from './api.ts';
import type { Log } from './log.ts';
import { type CommandResult, RunEnded, type RuntimeCommand } from './protocol.ts';

export interface CommandQueue {
  /** Takes a command of the stream. */
  receive(command: RuntimeCommand): void;
}

export interface CommandQueueOptions {
  readonly run: string;
  readonly api: Pick<Api, 'complete'>;
  readonly log: Log;
  /**
   * Executes one command. A failure that the operator can mend is the result FAILED, not a
   * rejection.
   */
  readonly execute: (command: RuntimeCommand) => Promise<CommandResult>;
  /** Called as soon as STOP arrives, before running work has ended. */
  readonly onStopReceived: () => void;
  /** Called after STOP is done and its completion was acknowledged or given up. */
  readonly onStopped: () => void;
}

const stopAcknowledgeMilliseconds = 5_000;
const retryBackOffMs = { first: 100, max: 2_000, jitter: 0.5 };

/** Creates an empty queue. */
export function createCommandQueue(options: CommandQueueOptions): CommandQueue {
  const { run, api, log } = options;
  const received = new Set<string>();
  const results = new Map<string, CommandResult>();
  const sending = new Set<string>();
  let executed: Promise<void> = Promise.resolve();
  let sent: Promise<void> = Promise.resolve();

  async function perform(command: RuntimeCommand): Promise<void> {
    log.info(`Command ${command.kind} ${command.id} begins.`);
    const result = await options.execute(command).catch((error: unknown): CommandResult => {
      const message = error instanceof Error ? error.message : String(error);
      return { outcome: 'FAILED', message: `The runtime failed in ${command.kind}: ${message}` };
    });
    if (result.outcome === 'DONE') log.info(`Command ${command.kind} ${command.id} is done.`);
    else log.error(`Command ${command.kind} ${command.id} failed: ${result.message}`);
    results.set(command.id, result);
    const acknowledged = send(command.id, result);
    if (command.kind !== 'STOP') return;
    await waitAtMost(stopAcknowledgeMilliseconds, acknowledged);
    options.onStopped();
  }

  function send(id: string, result: CommandResult): Promise<void> {
    if (sending.has(id)) return sent;
    sending.add(id);
    sent = sent.then(() => sendUntilAcknowledged(id, result)).finally(() => sending.delete(id));
    return sent;
  }

  async function sendUntilAcknowledged(id: string, result: CommandResult): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const answer = await api.complete(id, result);
        if (answer.retryable !== true) {
          if (answer.code !== undefined) {
            log.warn(`The completion of ${id} was refused: ${answer.code} ${answer.message}`);
          }
          return;
        }
      } catch (error) {
        if (error instanceof RunEnded) return;
      }
      await delay(backOff(retryBackOffMs, attempt));
    }
  }

  return {
    receive(command) {
      if (command.run !== run) {
        log.warn(`Command ${command.kind} ${command.id} is for another run; ignored.`);
        return;
      }
      const result = results.get(command.id);
      if (result !== undefined) {
        void send(command.id, result);
        return;
      }
      if (received.has(command.id)) return;
      received.add(command.id);
      if (command.kind === 'STOP') options.onStopReceived();
      executed = executed.then(() => perform(command));
    },
  };
}
