/** The containers of runs on an engine: found by their labels, made, started, ended. */
import type { Duplex } from 'node:stream';
import type Docker from 'dockerode';
import { waitAtMost } from '../../timing/time-limit.ts';
import { type Call, DriverError, type PublishedPort, type RuntimeRequest } from '../driver.ts';
import { aborted } from '../refusals.ts';
import type { EngineConnection } from './engine.ts';
import { refuse, retry, statusOf } from './errors.ts';
import { removeHalfMadeVolume } from './half-made-volume.ts';
import { filterOf, labels, type Owner } from './names.ts';
import { hasExited, isUnstarted, tailOf } from './observation.ts';

/** Lines of an output that are read for its tail. */
const tailLines = 100;
/** Time for the message of a start to be taken over by the engine. */
const deliveryMs = 5_000;
const goneMs = 8_000;
const repeatMs = 1_000;
const notModified = 304;
const conflict = 409;

type Found = Docker.ContainerInspectInfo;
type Filter = Parameters<typeof filterOf>[0];

export class Containers {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  /** All that carry these labels, whatever they are called by now. */
  async list(owner: Filter, call: Pick<Call, 'signal'>): Promise<Found[]> {
    const listed = await this.listBriefly(owner, call);
    const found = await Promise.all(listed.map(({ Id }) => this.inspect(Id, call)));
    return found.filter((each) => each !== null);
  }

  /** What the list of the engine alone says of them, which is cheaper. */
  listBriefly(owner: Filter, call: Pick<Call, 'signal'>): Promise<Docker.ContainerInfo[]> {
    return this.#engine.ask(call, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters: filterOf(owner), abortSignal }),
    );
  }

  /** Null: it is gone. */
  inspect(id: string, call: Pick<Call, 'signal'>): Promise<Found | null> {
    return this.#engine.find(call, (docker, abortSignal) =>
      docker.getContainer(id).inspect({ abortSignal }),
    );
  }

  /** The last lines of its output; empty where the engine has none any more. */
  async logTail(id: string, call: Pick<Call, 'signal'>): Promise<string> {
    const output = await this.#engine.find(call, (docker, abortSignal) =>
      docker
        .getContainer(id)
        .logs({ stdout: true, stderr: true, follow: false, tail: tailLines, abortSignal }),
    );
    return output ? tailOf(output as unknown as Buffer) : '';
  }

  /** Makes a container. Null: another call has just made one of this name. */
  async create(options: Docker.ContainerCreateOptions, call: Call): Promise<string | null> {
    for (const { Type, Source } of options.HostConfig?.Mounts ?? [])
      if (Type === 'volume') await removeHalfMadeVolume(this.#engine, Source, call);
    try {
      const { id } = await this.#engine.ask(call, (docker, abortSignal) =>
        docker.createContainer({ ...options, abortSignal }),
      );
      return id;
    } catch (error) {
      if (causeStatus(error) !== conflict) throw error;
      await this.#checkName(options, call);
      return null;
    }
  }

  /** @throws DriverError NAME_TAKEN if the name is that of a container which is not ours */
  async #checkName({ name = '', Labels }: Docker.ContainerCreateOptions, call: Call) {
    const holder = await this.inspect(name, call);
    const ours = Labels?.[labels.installation];
    if (!holder || holder.Config.Labels[labels.installation] === ours) return;
    throw refuse(
      'NAME_TAKEN',
      `A container that is not of this server has the name ${name} on the engine. ` +
        'Rename or remove it there, then restart the instance.',
    );
  }

  /** Starts it, if it has not been started before. */
  async start(id: string, call: Call): Promise<void> {
    try {
      await this.#engine.ask(call, (docker, abortSignal) =>
        docker.getContainer(id).start({ abortSignal }),
      );
    } catch (error) {
      if (causeStatus(error) !== notModified) throw error;
    }
  }

  /** Tells a container that runs its key and what only runs with it, by stdin. */
  async tell(
    id: string,
    message: { runtime: RuntimeRequest; published: Readonly<Record<string, PublishedPort>> },
    call: Call,
  ): Promise<void> {
    const { runtime, published } = message;
    const { runKey, authorities } = runtime;
    const line = `${JSON.stringify({ runKey, published, authorities })}\n`;
    try {
      await this.#engine.ask(call, async (docker, abortSignal) => {
        const stream = (await docker.getContainer(id).attach({
          ...{ stream: true, stdin: true, stdout: false, stderr: false, hijack: true },
          abortSignal,
        })) as Duplex;
        await deliver(stream, line);
      });
    } catch (error) {
      // It has exited meanwhile: its inspection says how.
      if (causeStatus(error) !== conflict && causeStatus(error) !== 404) throw error;
    }
  }

  /** Sends SIGTERM. The engine lets a paused container go on for it. */
  async terminate({ Id }: Found, call: Call): Promise<void> {
    await this.#signal(Id, 'SIGTERM', call);
  }

  /**
   * Kills it and waits until the engine says that it is gone.
   * @throws DriverError KILL_UNCONFIRMED
   */
  async kill({ Id, Name }: Found, call: Call): Promise<void> {
    await this.#signal(Id, 'SIGKILL', call);
    await this.#waitOver(Id, goneMs, call);
    const after = await this.inspect(Id, call);
    if (!after || hasExited(after)) return;
    throw retry(
      'KILL_UNCONFIRMED',
      `Container ${Name} is still there ${goneMs / 1000} s after SIGKILL (${after.State.Status}). ` +
        'Look at the engine, then repeat it.',
    );
  }

  /** Asks all to end, waits for them as long as they are given, and removes them, by force if need be. */
  async endAll(all: readonly Found[], graceSeconds: number, call: Call): Promise<void> {
    await Promise.all(
      all.map(async (each) => {
        if (!hasExited(each) && !isUnstarted(each)) await this.#end(each, graceSeconds, call);
        await this.remove(each.Id, call);
      }),
    );
  }

  /** Asks it again and again, because a request that comes before the program listens is lost. */
  async #end(found: Found, graceSeconds: number, call: Call): Promise<void> {
    const ask = () => this.terminate(found, call);
    await ask();
    const again = setInterval(() => void ask().catch(() => undefined), repeatMs);
    try {
      await this.#waitOver(found.Id, graceSeconds * 1000, call);
    } finally {
      clearInterval(again);
    }
  }

  async #waitOver(id: string, milliseconds: number, call: Call): Promise<void> {
    const over = this.#unlessOver(call, (docker, abortSignal) =>
      docker.getContainer(id).wait({ condition: 'not-running', abortSignal }),
    );
    await waitAtMost(milliseconds, over);
  }

  /** Removes it, running or not. Volumes that have a name stay. */
  async remove(id: string, call: Pick<Call, 'signal'>): Promise<void> {
    await this.#unlessOver(call, (docker, abortSignal) =>
      docker.getContainer(id).remove({ force: true, v: true, abortSignal }),
    );
  }

  #signal(id: string, signal: string, call: Call): Promise<void> {
    return this.#unlessOver(call, (docker, abortSignal) =>
      docker.getContainer(id).kill({ signal, abortSignal }),
    );
  }

  /** What is asked of a container that has ended, is gone or is being removed is done already. */
  async #unlessOver(
    call: Pick<Call, 'signal'>,
    run: (docker: Docker, abortSignal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await this.#engine.ask(call, run);
    } catch (error) {
      if (![notModified, 404, conflict].includes(causeStatus(error) ?? 0)) throw error;
    }
  }
}

const causeStatus = (error: unknown): number | null =>
  error instanceof DriverError && error.cause ? statusOf(error.cause) : null;

/** Writes the line; resolves when the engine has closed its side, which it does when it has all. */
async function deliver(stream: Duplex, line: string): Promise<void> {
  const closed = new Promise<void>((resolve, reject) => {
    stream.once('close', resolve);
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  stream.resume();
  stream.end(line);
  let isClosed = false;
  await waitAtMost(
    deliveryMs,
    closed.then(() => {
      isClosed = true;
    }),
  );
  stream.destroy();
  if (!isClosed) throw aborted('The engine did not take the key of the run.');
}

/** Whose container it is. */
export const ownerOf = ({ Config }: Found): Owner => ({
  installation: Config.Labels[labels.installation] ?? '',
  hostId: Config.Labels[labels.host] ?? '',
  instanceId: Config.Labels[labels.instance] ?? '',
  runId: Config.Labels[labels.run] ?? '',
});
