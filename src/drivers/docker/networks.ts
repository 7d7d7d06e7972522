/** The network of a host, and the volumes on it. */
import type Docker from 'dockerode';
import type { Call } from '../driver.ts';
import type { EngineConnection } from './engine.ts';
import { refuse, retry } from './errors.ts';
import { filterOf, type Labels, labels, networkName } from './names.ts';

type Found = Docker.NetworkInspectInfo;
type Filter = Parameters<typeof filterOf>[0];

export class Networks {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  list(owner: Filter, call: Pick<Call, 'signal'>): Promise<Found[]> {
    return this.#engine.ask(call, (docker, abortSignal) =>
      docker.listNetworks({ filters: filterOf(owner) as never, abortSignal }),
    );
  }

  /** The network of the host. Null: it has none. */
  async find(owner: Filter, call: Pick<Call, 'signal'>): Promise<Found | null> {
    return (await this.list(owner, call)).sort(byAge)[0] ?? null;
  }

  /** The network of the host, made if it has none. `isNew`: this call has made it. */
  async place(
    owner: Filter & { readonly hostId: string },
    given: Labels,
    call: Call,
  ): Promise<{ network: Found; isNew: boolean }> {
    const before = await this.find(owner, call);
    if (before) return { network: before, isNew: false };
    const name = networkName(owner.hostId);
    const made = await this.#create(name, given, call);
    // Two calls at once may each have made one: both keep the first.
    const [first, ...others] = (await this.list(owner, call)).sort(byAge);
    for (const each of others) if (each.Id === made) await this.#remove(each.Id, call);
    if (first) return { network: first, isNew: first.Id === made };
    await this.#checkName(name, given, call);
    throw retry('NETWORK_MISSING', `Network ${name} was made and is gone. Repeat it.`);
  }

  /** Its id. Null: there is one of this name. */
  async #create(name: string, given: Labels, call: Call): Promise<string | null> {
    try {
      const { id } = await this.#engine.ask(call, (docker, abortSignal) =>
        docker.createNetwork({
          ...{ Name: name, Driver: 'bridge', CheckDuplicate: true, Labels: { ...given } },
          abortSignal,
        }),
      );
      return id;
    } catch (error) {
      const { cause } = error as { cause?: { statusCode?: number } };
      if (cause?.statusCode === 409) return null;
      throw error;
    }
  }

  async #checkName(name: string, given: Labels, call: Call): Promise<void> {
    const holder = await this.#engine.find(call, (docker) => docker.getNetwork(name).inspect());
    const owner = (holder as Found | null)?.Labels?.[labels.installation];
    if (!holder || owner === given[labels.installation]) return;
    throw refuse(
      'NAME_TAKEN',
      `A network that is not of this server has the name ${name} on the engine. ` +
        'Remove it there, then deploy the host again.',
    );
  }

  /**
   * Removes every network of the owner.
   * @throws DriverError NETWORK_IN_USE if something that is not ours is attached to one
   */
  async removeAll(owner: Filter, call: Call): Promise<void> {
    for (const { Id } of await this.list(owner, call)) await this.#remove(Id, call);
  }

  async #remove(id: string, call: Call): Promise<void> {
    try {
      await this.#engine.find(call, (docker, abortSignal) =>
        docker.getNetwork(id).remove({ abortSignal }),
      );
    } catch (error) {
      const found = await this.#engine.find(call, (docker) => docker.getNetwork(id).inspect());
      if (!found) return;
      const names = Object.values((found as Found).Containers ?? {}).map(({ Name }) => Name);
      if (names.length === 0) throw error;
      throw retry(
        'NETWORK_IN_USE',
        `Network ${(found as Found).Name} of the host cannot be removed, because containers that are not of this ` +
          `server are attached to it: ${names.join(', ')}. Disconnect them on the engine.`,
        error,
      );
    }
  }

  /** The volumes of the owner. */
  async listVolumes(owner: Filter, call: Pick<Call, 'signal'>) {
    const { Volumes } = await this.#engine.ask(call, (docker, abortSignal) =>
      docker.listVolumes({ filters: filterOf(owner) as never, abortSignal }),
    );
    return Volumes ?? [];
  }

  async removeVolumes(owner: Filter, call: Call): Promise<void> {
    for (const { Name } of await this.listVolumes(owner, call)) {
      await this.#engine.find(call, (docker, abortSignal) =>
        docker.getVolume(Name).remove({ force: true, abortSignal } as object),
      );
    }
  }
}

/** The clock is that of the engine alone; the id decides within its resolution. */
const byAge = (a: Found, b: Found): number =>
  a.Created === b.Created ? (a.Id < b.Id ? -1 : 1) : a.Created < b.Created ? -1 : 1;
