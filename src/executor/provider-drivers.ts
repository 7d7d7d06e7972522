/**
 * The drivers of a node: one for each compute provider, opened when it is first needed, opened anew when the
 * provider was edited, closed when nothing has used it for a while. A kind whose providers are all the same
 * machine has one driver, which the node was started with.
 */
import { type Call, type Driver, DriverError } from '../drivers/driver.ts';
import type { HostDriver } from '../lifecycle/compute.ts';
import { hastenCheck } from '../store/command/provider-check.ts';
import type { Store } from '../store/commit/store.ts';
import { findProvider, type OpenProvider } from '../store/read/providers.ts';
import { SecretError } from '../store/secret/keys.ts';
import { Breaker } from './breaker.ts';

/** Opens the driver of a provider of one of these kinds. */
export interface DriverOpener {
  readonly kinds: readonly HostDriver[];
  open(provider: OpenProvider): Driver;
}

/** What names the provider of a host. */
export interface ProviderRef {
  readonly kind: HostDriver;
  readonly providerId: string;
  readonly version: number;
}

interface Opened {
  readonly version: number;
  readonly breaker: Breaker;
  /** As it was opened. */
  readonly driver: Driver;
  /** The same, behind the breaker. */
  guarded: Driver;
  running: number;
  usedAt: number;
  isDone: boolean;
}

const idleMs = 600_000;

export class ProviderDrivers {
  readonly #store: Store;
  readonly #shared: ReadonlyMap<HostDriver, Driver>;
  readonly #opener: DriverOpener;
  readonly #onError: (error: unknown) => void;
  readonly #opened = new Map<string, Opened>();
  readonly #opening = new Map<string, Promise<Opened>>();

  constructor(
    store: Store,
    options: {
      readonly shared: readonly Driver[];
      readonly opener: DriverOpener | null;
      readonly onError: (error: unknown) => void;
    },
  ) {
    this.#store = store;
    this.#shared = new Map(options.shared.map((driver) => [driver.kind, driver]));
    this.#opener = options.opener ?? { kinds: [], open: () => Promise.reject() as never };
    this.#onError = options.onError;
  }

  /** The kinds of providers that this node can reach. */
  get kinds(): HostDriver[] {
    return [...this.#shared.keys(), ...this.#opener.kinds];
  }

  /** Have all providers of this kind one driver, and one budget? */
  isShared(kind: HostDriver): boolean {
    return this.#shared.has(kind);
  }

  /**
   * The driver of a provider. Its calls fail at once while the provider does not answer.
   *
   * @throws DriverError where this node has none, or the provider cannot be opened
   */
  async driverOf(provider: ProviderRef): Promise<Driver> {
    const shared = this.#shared.get(provider.kind);
    return shared ?? (await this.#openedOf(provider)).guarded;
  }

  /** Asks a provider what it is, whatever its breaker says. */
  async inspect(provider: ProviderRef, call: Call): ReturnType<Driver['inspectEngine']> {
    const shared = this.#shared.get(provider.kind);
    if (shared) return shared.inspectEngine(call);
    const opened = await this.#openedOf(provider);
    const engine = await use(opened, () => opened.driver.inspectEngine(call));
    opened.breaker.close();
    return engine;
  }

  /** Closes what nothing has used for a while. */
  closeIdle(): void {
    for (const [id, opened] of this.#opened) {
      if (opened.running > 0 || performance.now() - opened.usedAt < idleMs) continue;
      this.#opened.delete(id);
      this.#end(opened);
    }
  }

  /** Closes every driver that was opened here. Those that the node was started with stay open. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#opening.values());
    const all = [...this.#opened.values()];
    this.#opened.clear();
    await Promise.allSettled(all.map(({ driver }) => driver.close()));
  }

  async #openedOf(provider: ProviderRef): Promise<Opened> {
    const { providerId, version, kind } = provider;
    if (!this.#opener.kinds.includes(kind)) {
      throw new DriverError(
        'NO_DRIVER',
        `This server has no driver ${kind}; it has ${this.kinds.join(', ')}.`,
        { retryable: false },
      );
    }
    const present = this.#opened.get(providerId);
    if (present && present.version >= version) return present;
    const opening = this.#opening.get(providerId) ?? this.#open(providerId);
    this.#opening.set(providerId, opening);
    return opening.finally(() => {
      if (this.#opening.get(providerId) === opening) this.#opening.delete(providerId);
    });
  }

  async #open(providerId: string): Promise<Opened> {
    const provider = await findProvider(this.#store, providerId).catch(unreadable);
    if (!provider) {
      throw new DriverError('NO_PROVIDER', 'The compute provider of this host is gone.', {
        retryable: false,
      });
    }
    const driver = this.#opener.open(provider);
    const breaker = new Breaker(provider.key, () => {
      hastenCheck(this.#store, providerId).catch(this.#onError);
    });
    const opened: Opened = {
      ...{ version: provider.version, breaker, driver, guarded: driver },
      ...{ running: 0, usedAt: performance.now(), isDone: false },
    };
    opened.guarded = guard(opened);
    const former = this.#opened.get(providerId);
    this.#opened.set(providerId, opened);
    if (former) this.#end(former);
    return opened;
  }

  /** Closes a driver when its running calls have ended. */
  #end(opened: Opened): void {
    opened.isDone = true;
    if (opened.running === 0) opened.driver.close().catch(this.#onError);
  }
}

/** Its credentials do not open: nothing else is wrong, and they may be set anew. */
function unreadable(error: unknown): never {
  if (!(error instanceof SecretError)) throw error;
  throw new DriverError(error.code, `The credentials of the provider: ${error.message}`, {
    retryable: true,
  });
}

/** Counts a call, so that a driver which was replaced is closed after its last one. */
async function use<T>(opened: Opened, call: () => Promise<T>): Promise<T> {
  opened.running += 1;
  try {
    return await call();
  } finally {
    opened.running -= 1;
    opened.usedAt = performance.now();
    if (opened.isDone && opened.running === 0) await opened.driver.close();
  }
}

/** The driver with its verbs counted and behind the breaker. */
function guard(opened: Opened): Driver {
  const { driver, breaker } = opened;
  return new Proxy(driver, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const verb = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
      // A watch goes on until the driver is closed.
      if (name === 'watch' || name === 'close') return verb;
      return (...args: unknown[]) =>
        breaker.run(args.at(-1) as Call, () => use(opened, () => verb(...args)));
    },
  });
}
