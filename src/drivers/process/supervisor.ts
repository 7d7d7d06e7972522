/** The runtimes of the agent: at most one of each instance, each with a record on disk. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DriverError, type RuntimeObservation } from '../driver.ts';
import { fenced } from '../refusals.ts';
import {
  bundleFile,
  bundleFolder,
  type ContainerRecord,
  type HostFiles,
  type HostRecord,
  makeFolder,
  type RuntimeRecord,
  readJson,
  writeJson,
} from './files.ts';
import {
  endByForce,
  findTagged,
  identityOf,
  isAlive,
  type ProcessIdentity,
  processTagVariable,
  signalProcess,
  waitGone,
} from './identity.ts';
import { capOutput, readTail } from './output.ts';
import { type RuntimeName, runtimeGraceMs, type StartRuntime } from './protocol.ts';

const killWithinMs = 5_000;

interface LiveRun {
  readonly runId: string;
  readonly identity: ProcessIdentity;
  /** Resolves when its exit is recorded on disk. */
  readonly gone: Promise<void>;
}

export class RuntimeSupervisor {
  readonly #files: HostFiles;
  readonly #host: HostRecord;
  readonly #live = new Map<string, LiveRun>();
  readonly #queues = new Map<string, Promise<unknown>>();
  #ending = false;

  constructor(options: { files: HostFiles; host: HostRecord }) {
    this.#files = options.files;
    this.#host = options.host;
    makeFolder(this.#files.runtimes);
    makeFolder(this.#files.instances);
  }

  /**
   * Ends what an earlier agent of this host has left behind, recorded or not.
   * @returns the number of processes; rejects if one cannot be confirmed gone
   */
  async sweep(): Promise<number> {
    const records = readdirSync(this.#files.runtimes)
      .filter((name) => name.endsWith('.json'))
      .map((name) => name.slice(0, -'.json'.length))
      .map((instanceId) => ({ instanceId, record: this.#read(instanceId) }));
    const recorded = records.flatMap(({ record }) =>
      record.run?.identity && !record.run.exit ? [record.run.identity] : [],
    );
    const find = () => [...recorded, ...findTagged(this.#host.processTag)];
    const alive = new Set(
      find()
        .filter(isAlive)
        .map((one) => one.pid),
    );
    if (!(await endByForce(find, { withinMs: killWithinMs }))) {
      throw new Error(`cannot end what was left behind: pids ${[...alive].join(', ')}`);
    }
    for (const { instanceId, record } of records) {
      const { run } = record;
      if (!run || run.exit) continue;
      const signal = run.identity && alive.has(run.identity.pid) ? 'SIGKILL' : null;
      const logTail = readTail(this.#files.output(instanceId));
      this.#write(instanceId, {
        ...record,
        run: { ...run, exit: { exitCode: null, signal, logTail } },
      });
    }
    return alive.size;
  }

  /** Starts a run once; ends an earlier run of the instance first. See `Driver.startRuntime`. */
  start(runtime: StartRuntime, fence: bigint): Promise<{ imageDigest: string }> {
    const { instanceId, runId } = runtime;
    return this.#inTurn(instanceId, async () => {
      this.#admit(instanceId, fence);
      const { run } = this.#read(instanceId);
      if (run?.runId === runId) return { imageDigest: run.imageDigest };
      if (this.#ending) throw hostEnds();
      await this.#end(instanceId);
      const container = readJson<ContainerRecord>(this.#files.container);
      if (!container) {
        throw new DriverError(
          'NOT_DEPLOYED',
          `Host ${this.#host.hostId} has no runtime in place. Deploy the container first.`,
          { retryable: false },
        );
      }
      if (this.#ending) throw hostEnds();
      await this.#spawn(runtime, container.digest);
      return { imageDigest: container.digest };
    });
  }

  /** Asks that run to end; does nothing if it is not the live one. */
  stop(name: RuntimeName, fence: bigint): Promise<void> {
    return this.#inTurn(name.instanceId, async () => {
      this.#admit(name.instanceId, fence);
      const live = this.#live.get(name.instanceId);
      if (live?.runId === name.runId) signalProcess(live.identity, 'SIGTERM');
    });
  }

  /** Kills that run and waits until its exit is confirmed and recorded. */
  kill(name: RuntimeName, fence: bigint): Promise<void> {
    return this.#inTurn(name.instanceId, async () => {
      this.#admit(name.instanceId, fence);
      if (this.#live.get(name.instanceId)?.runId === name.runId) await this.#end(name.instanceId);
    });
  }

  /**
   * The state of that run. A run that was never started here, or was replaced, counts as exited.
   */
  inspect(name: RuntimeName): Promise<RuntimeObservation> {
    return this.#inTurn(name.instanceId, async () => {
      const live = this.#live.get(name.instanceId);
      if (live?.runId === name.runId) {
        if (isAlive(live.identity)) {
          return { state: 'running', logTail: readTail(this.#files.output(name.instanceId)) };
        }
        await live.gone;
      }
      const { run } = this.#read(name.instanceId);
      const exit = run?.runId === name.runId ? run.exit : null;
      return { state: 'exited', ...(exit ?? { exitCode: null, signal: null, logTail: '' }) };
    });
  }

  /**
   * Asks every runtime to end, kills those that have not ended within their grace period, and
   * starts none any more.
   * @param options.everythingTagged also ends all other processes of this host
   * @returns whether all are confirmed gone
   */
  async endAll(options: { everythingTagged: boolean }): Promise<boolean> {
    this.#ending = true;
    const own = () => [...this.#live.values()].map((run) => run.identity);
    const recorded = [...this.#live.values()].map((run) => run.gone);
    for (const identity of own()) signalProcess(identity, 'SIGTERM');
    await waitGone(own, { withinMs: runtimeGraceMs });
    const find = options.everythingTagged
      ? () => [...own(), ...findTagged(this.#host.processTag)]
      : own;
    const gone = await endByForce(find, { withinMs: killWithinMs });
    if (gone) await Promise.all(recorded);
    return gone;
  }

  /** Truncates outputs of more than 1 MiB to their last 256 KiB. */
  capOutputs(): void {
    for (const instanceId of this.#live.keys()) capOutput(this.#files.output(instanceId));
  }

  async #end(instanceId: string): Promise<void> {
    const live = this.#live.get(instanceId);
    if (!live) return;
    if (!(await endByForce(() => [live.identity], { withinMs: killWithinMs }))) {
      throw new DriverError(
        'KILL_UNCONFIRMED',
        `Run ${live.runId} (pid ${live.identity.pid}) is still there ${killWithinMs / 1000} s after ` +
          'SIGKILL; it is probably stuck in the kernel. Look at the machine, then repeat it.',
        { retryable: true },
      );
    }
    await live.gone;
  }

  async #spawn(runtime: StartRuntime, imageDigest: string): Promise<void> {
    const { instanceId, runId } = runtime;
    const folder = this.#files.instance(instanceId);
    const output = this.#files.output(instanceId);
    makeFolder(folder);
    if (existsSync(output)) renameSync(output, join(folder, 'output.previous.log'));
    const before = this.#read(instanceId);
    const run = { runId, imageDigest, identity: null, exit: null };
    this.#write(instanceId, { ...before, run });
    const bundle = join(bundleFolder(this.#files.containers, imageDigest), bundleFile);
    const outputFile = openSync(output, 'a', 0o600);
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [bundle, this.#host.processTag], {
        cwd: folder,
        detached: true, // a group of its own, and it outlives an agent that is killed
        env: this.#environment(runtime, folder),
        stdio: ['pipe', outputFile, outputFile],
      });
    } finally {
      closeSync(outputFile);
    }
    const identity = child.pid === undefined ? null : identityOf(child.pid);
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
      child.once('exit', (code, signal) => resolve({ code, signal })),
    );
    const failed = new Promise<Error | null>((resolve) => {
      child.once('error', resolve);
      child.once('spawn', () => resolve(null));
    });
    child.stdin?.on('error', () => undefined); // it may exit before it has read its key
    child.stdin?.end(`${JSON.stringify({ runKey: runtime.runKey })}\n`);
    if (identity) {
      this.#write(instanceId, { ...this.#read(instanceId), run: { ...run, identity } });
      const gone = exited.then(({ code, signal }) => this.#onExit(runtime, code, signal));
      this.#live.set(instanceId, { runId, identity, gone });
    }
    const error = await failed;
    if (error || !identity) {
      this.#write(instanceId, { ...this.#read(instanceId), run: null });
      throw new DriverError(
        'START_FAILED',
        `The runtime of run ${runId} cannot be started: ${error?.message ?? 'it has no pid'}. ` +
          'The machine is probably out of processes or memory. Repeat it.',
        { retryable: true, cause: error },
      );
    }
  }

  #onExit(runtime: RuntimeName, exitCode: number | null, signal: string | null): void {
    const { instanceId, runId } = runtime;
    const record = this.#read(instanceId);
    if (this.#live.get(instanceId)?.runId === runId) this.#live.delete(instanceId);
    if (record.run?.runId !== runId) return;
    const logTail = readTail(this.#files.output(instanceId));
    this.#write(instanceId, {
      ...record,
      run: { ...record.run, exit: { exitCode, signal, logTail } },
    });
  }

  /** The environment of a runtime: nothing is inherited from this process. */
  #environment(runtime: StartRuntime, folder: string): Record<string, string> {
    const { authorities } = this.#files;
    const hostNames = (runtime.hostNames ?? []).join(); // an older server sends none
    return {
      NODE_ENV: 'production',
      ...(existsSync(authorities) ? { NODE_EXTRA_CA_CERTS: authorities } : {}),
      RUNTIME_ENDPOINT: runtime.endpoint,
      RUNTIME_ENDPOINT_FILE: this.#files.endpoint,
      RUNTIME_INSTANCE: runtime.instanceId,
      RUNTIME_RUN: runtime.runId,
      RUNTIME_ADDRESS: this.#host.address,
      ...(hostNames === '' ? {} : { RUNTIME_HOST_NAMES: hostNames }),
      RUNTIME_WORK_FOLDER: folder,
      RUNTIME_HEARTBEAT_SECONDS: String(runtime.heartbeatSeconds),
      [processTagVariable]: this.#host.processTag,
    };
  }

  #admit(instanceId: string, fence: bigint): void {
    const record = this.#read(instanceId);
    const seen = BigInt(record.fence);
    if (fence < seen) throw fenced(`instance ${instanceId}`, fence, seen);
    if (fence > seen) this.#write(instanceId, { ...record, fence: String(fence) });
  }

  #inTurn<T>(instanceId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(instanceId) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#queues.set(instanceId, mine);
    const forget = (): void => {
      if (this.#queues.get(instanceId) === mine) this.#queues.delete(instanceId);
    };
    mine.then(forget, forget);
    return mine;
  }

  #read(instanceId: string): RuntimeRecord {
    return readJson<RuntimeRecord>(this.#files.runtime(instanceId)) ?? { fence: '-1', run: null };
  }

  #write(instanceId: string, record: RuntimeRecord): void {
    writeJson(this.#files.runtime(instanceId), record);
  }
}

function hostEnds(): DriverError {
  return new DriverError('HOST_ENDING', 'The host is being ended. Repeat it when it is back.', {
    retryable: true,
  });
}
