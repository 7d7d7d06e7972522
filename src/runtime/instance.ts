/**
 * The instance of a run: its solution, devices and listeners. The commands of the API change it.
 *
 *     up ── LOAD_SOLUTION ──▶ loaded ── START_LISTENING ──▶ RUNNING ◀── RESUME ── PAUSED
 *                                             (intake CLOSED: PAUSED)  ── PAUSE ──▶
 */
import { accessSync, constants } from 'node:fs';
import packageJson from '../../package.json' with { type: 'json' };
import { waitAtMost } from '../timing/time-limit.ts';
import type { Api } from './api.ts';
import { openCloudDevices } from './cloud-devices.ts';
import { createCloudLogs } from './cloud-logs.ts';
import type { RuntimeConfig } from './config.ts';
import { type DeviceStorage, localDevicesFile, openLocalDevices, openOnDemand } from './devices.ts';
import { faultText } from './fields.ts';
import { Listening } from './listening.ts';
import { type Log, openLocalLogs } from './log.ts';
import type { CommandResult, Counters, RuntimeCommand } from './protocol.ts';
import { type LoadedSolution, loadSolution } from './solution.ts';
import { hasSqlite } from './sqlite.ts';
import type { Published } from './start-message.ts';
import { outboxFile } from './value-outbox.ts';

export interface InstanceOptions {
  readonly config: RuntimeConfig;
  readonly api: Api;
  readonly log: Log;
  readonly counters: Counters;
  readonly published: ReadonlyMap<string, Published>;
  /** Called with a refused message. */
  readonly onRejected: (text: string) => void;
}

interface LoadPayload {
  readonly solution: { readonly key: string; readonly version: string; definition: unknown };
  readonly settings?: Record<string, unknown> | null;
  readonly secretSettings?: readonly string[] | null;
  readonly workingStorage: 'CLOUD' | 'LOCAL';
  readonly deviceStorage: 'CLOUD' | 'LOCAL';
}

const stopping = 'The runtime is stopping.';
const stopFlushMilliseconds = 2_000;
/** Well within the deadline of PAUSING. */
const pauseFlushMilliseconds = 10_000;

export class Instance {
  readonly #options: InstanceOptions;
  readonly #startedAt = Date.now();
  readonly #hurry = new AbortController();
  readonly #hurried = new Promise<void>((resolve) =>
    this.#hurry.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  #phase: 'UP' | 'LOADED' | 'RUNNING' | 'PAUSING' | 'PAUSED' | 'CLOSED' = 'UP';
  #solution: LoadedSolution | undefined;
  #devices: DeviceStorage | undefined;
  /** Values for the API from before the storage of devices became LOCAL. */
  #leftBehind: DeviceStorage | undefined;
  #listening: Listening | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: InstanceOptions) {
    this.#options = options;
  }

  /** Executes a command. Rejects if something unforeseen fails. */
  async execute({ kind, payload }: RuntimeCommand): Promise<CommandResult> {
    if (kind === 'STOP') {
      await this.close();
      return { outcome: 'DONE' };
    }
    if (this.#isClosed()) return failed(stopping);
    switch (kind) {
      case 'LOAD_SOLUTION':
        return await this.#load(payload as LoadPayload);
      case 'START_LISTENING':
        return await this.#open((payload as { intake?: string }).intake !== 'CLOSED');
      case 'RESUME':
        return await this.#open(true);
      case 'PAUSE':
        return await this.#pause();
      default:
        return failed(
          `This runtime (${packageJson.version}) does not know the command ${kind satisfies never}.`,
        );
    }
  }

  /** After this time, requests that are not complete are refused: the stop has a deadline. */
  hurryUp(milliseconds: number): void {
    setTimeout(() => this.#hurry.abort(), milliseconds).unref();
  }

  /** Closes all listeners and delivers what it can. A repeat waits for the first call. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      this.#phase = 'CLOSED';
      await this.#listening?.closeAll(this.#hurry.signal);
      await waitAtMost(stopFlushMilliseconds, this.#devices?.flushed());
    })();
    return this.#closing;
  }

  /** Closes the files of its devices. */
  release(): void {
    this.#devices?.close();
    this.#leftBehind?.close();
    this.#devices = undefined;
    this.#leftBehind = undefined;
  }

  #isClosed(): boolean {
    return this.#phase === 'CLOSED';
  }

  async #load(payload: LoadPayload): Promise<CommandResult> {
    if (this.#phase !== 'UP' && this.#phase !== 'LOADED') {
      return failed('A solution is running already.');
    }
    const { config, api, log, counters, published, onRejected } = this.#options;
    log.keepIn(
      payload.workingStorage === 'LOCAL' ? openLocalLogs(config.workFolder) : createCloudLogs(api),
    );
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
    this.#devices = await this.#openDevices(payload.deviceStorage);
    if (this.#isClosed()) return failed(stopping);
    this.#solution = loaded.solution;
    this.#listening = new Listening({
      ...{ address: config.address, hostNames: config.hostNames, ports: config.ports, published },
      solution: loaded.solution,
      devices: this.#devices,
      counters,
      status: () => this.#status(),
      onError: (text) => log.error(text),
      onRejected,
    });
    this.#phase = 'LOADED';
    return { outcome: 'DONE' };
  }

  /** Opens the files that earlier runs have left; others with the first value. */
  async #openDevices(storage: LoadPayload['deviceStorage']): Promise<DeviceStorage> {
    const { config, api, log, counters } = this.#options;
    const folder = config.workFolder;
    this.release();
    const openCloud = () => openCloudDevices({ folder, run: config.run, api, counters, log });
    const openLocal = () => openLocalDevices(folder);
    if (storage === 'LOCAL' && hasSqlite(folder, outboxFile)) {
      this.#leftBehind = await openCloud();
    }
    const [file, open] =
      storage === 'CLOUD' ? [outboxFile, openCloud] : [localDevicesFile, openLocal];
    if (hasSqlite(folder, file)) return await open();
    accessSync(folder, constants.W_OK);
    return openOnDemand(open);
  }

  async #open(intake: boolean): Promise<CommandResult> {
    const listening = this.#listening;
    if (listening === undefined) return failed('No solution is loaded; LOAD_SOLUTION comes first.');
    const wasListening = this.#phase !== 'LOADED';
    try {
      await listening.openInputCommands();
      if (intake) await listening.openMessages();
    } catch (error) {
      if (!wasListening) await listening.closeAll(AbortSignal.abort());
      return failed(error instanceof Error ? error.message : String(error));
    }
    if (intake || !wasListening) this.#phase = intake ? 'RUNNING' : 'PAUSED';
    return { outcome: 'DONE', endpoints: listening.endpoints() };
  }

  async #pause(): Promise<CommandResult> {
    const [listening, devices] = [this.#listening, this.#devices];
    if (listening === undefined || devices === undefined || this.#phase === 'LOADED') {
      return failed('Nothing is open that could be paused; START_LISTENING comes first.');
    }
    this.#phase = 'PAUSING';
    await listening.closeMessages(this.#hurry.signal);
    // The rest is delivered while the instance is paused, or in the next run.
    const flushed = waitAtMost(pauseFlushMilliseconds, devices.flushed());
    await Promise.race([flushed, this.#hurried]);
    this.#phase = 'PAUSED';
    return { outcome: 'DONE', endpoints: listening.endpoints() };
  }

  #status(): object {
    const { config, counters } = this.#options;
    return {
      state: this.#phase,
      instance: config.instance,
      solution: { key: this.#solution?.key, version: this.#solution?.version },
      uptimeSeconds: Math.floor((Date.now() - this.#startedAt) / 1_000),
      counters,
    };
  }
}

function failed(message: string): CommandResult {
  return { outcome: 'FAILED', message };
}
