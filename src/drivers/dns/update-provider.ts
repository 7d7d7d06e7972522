/** The DNS provider on name servers elsewhere, by dynamic updates of their zone (RFC 2136). */
import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { DriverError } from '../driver.ts';
import { type AskOptions, ask, askAddresses, checkRecord } from './ask.ts';
import { addressText, type ServerAddress } from './exchange.ts';
import {
  type AddressRecord,
  canonicalAddress,
  type DnsProvider,
  type RecordWriter,
  type ServerAnswer,
} from './provider.ts';
import { sendUpdate } from './send-update.ts';
import type { TsigKey } from './tsig.ts';
import { addressBytes, classes, encodeText, types, type UpdateRecord } from './update-message.ts';

export interface UpdateDnsOptions {
  /** The primary server of the zone: an IP address, or a name of the system's resolver. */
  readonly server: { readonly host: string; readonly port: number };
  /** Lower case, without final dot. */
  readonly zone: string;
  readonly key: TsigKey;
  /** Marks the names that this installation made. It changes no others. At most 200 characters. */
  readonly owner: string;
  /** Keeps what was published, for the API. */
  readonly records: RecordWriter;
  /** Time limit of one question, and a fifth of that of an update. */
  readonly trySeconds?: number;
}

/**
 * The DNS provider on name servers elsewhere. Beside each record it keeps a TXT record,
 * `_instance-manager.<name>`, with the owner: a name without it was made by somebody else and is
 * never changed. All authoritative servers of the zone, by its NS records, are asked on the port
 * of the primary.
 *
 * Errors are those of `ask` and `sendUpdate`, `DNS_RECORD_INVALID`, `DNS_NAME_TAKEN`, and
 * `DNS_SERVER_UNKNOWN` (retryable: an authoritative server has no address).
 */
export function createUpdateDnsProvider(options: UpdateDnsOptions): DnsProvider {
  return new UpdateDnsProvider(options);
}

class UpdateDnsProvider implements DnsProvider {
  readonly kind = 'RFC_2136';
  readonly #options: UpdateDnsOptions;

  constructor(options: UpdateDnsOptions) {
    this.#options = options;
  }

  async publish(record: AddressRecord, signal: AbortSignal): Promise<void> {
    const { zone, records } = this.#options;
    checkRecord(record, zone);
    const primary = await this.#primary();
    if (!(await this.#isInPlace(primary, record, signal))) {
      await this.#put(primary, record, signal);
    }
    await records.save(record);
  }

  async withdraw(name: string, signal: AbortSignal): Promise<void> {
    const primary = await this.#primary();
    // If it does not hold, nothing of ours is there.
    await this.#send(
      primary,
      [this.#isOurs(name)],
      [...clear(name), removeAll(markOf(name), types.TXT)],
      signal,
    );
    await this.#options.records.remove(name);
  }

  async resolve(name: string, signal: AbortSignal): Promise<readonly ServerAnswer[]> {
    const primary = await this.#primary();
    const servers = await this.#authoritative(primary, signal);
    return Promise.all(
      servers.map(async ({ server, addresses }) => ({
        server,
        addresses: await this.#askFirst(addresses, name.toLowerCase(), signal),
      })),
    );
  }

  /** Replaces what is ours, else takes a free name, which another server of ours may just have done. */
  async #put(primary: ServerAddress, record: AddressRecord, signal: AbortSignal): Promise<void> {
    const { name, ttlSeconds, address } = record;
    const type = isIPv4(address) ? types.A : types.AAAA;
    const entry = { name, type, class: classes.IN, ttlSeconds, data: addressBytes(address) };
    const mark = { ...this.#isOurs(name), ttlSeconds };
    const replace = () =>
      this.#send(primary, [this.#isOurs(name)], [...clear(name), entry], signal);
    const create = () => this.#send(primary, [isFree(name)], [entry, mark], signal);
    if ((await replace()) || (await create()) || (await replace())) return;
    throw new DriverError(
      'DNS_NAME_TAKEN',
      `${name} is in the zone ${this.#options.zone} already and was not made by this installation. Remove it there, or give the host another dnsName.`,
      { retryable: false },
    );
  }

  async #isInPlace(
    primary: ServerAddress,
    { name, address }: AddressRecord,
    signal: AbortSignal,
  ): Promise<boolean> {
    const options = this.#askOptions(primary);
    const marks = await ask(options, { name: markOf(name), type: 'TXT' }, signal);
    if (!marks.includes(this.#options.owner)) return false;
    const found = await askAddresses(options, name, signal);
    return found.length === 1 && found[0] === canonicalAddress(address);
  }

  /** The record that marks the name as ours; as a prerequisite: that it is. */
  #isOurs(name: string): UpdateRecord {
    const data = encodeText(this.#options.owner);
    return { name: markOf(name), type: types.TXT, class: classes.IN, data };
  }

  #send(
    server: ServerAddress,
    prerequisites: readonly UpdateRecord[],
    changes: readonly UpdateRecord[],
    signal: AbortSignal,
  ): Promise<boolean> {
    const { zone, key, trySeconds = 1 } = this.#options;
    const target = { server, key, seconds: trySeconds * 5 };
    return sendUpdate(target, { zone, prerequisites, changes }, signal);
  }

  async #primary(): Promise<ServerAddress> {
    const { host, port } = this.#options.server;
    if (isIP(host)) return { address: host, port };
    return { address: await addressOf(host), port };
  }

  async #authoritative(
    primary: ServerAddress,
    signal: AbortSignal,
  ): Promise<{ server: string; addresses: readonly string[] }[]> {
    const { zone } = this.#options;
    const options = this.#askOptions(primary);
    const names = await ask(options, { name: zone, type: 'NS' }, signal);
    if (names.length === 0) {
      const message = `The name server at ${addressText(primary)} knows no name servers of ${zone}. See whether DNS_ZONE is the name of a zone there.`;
      throw new DriverError('DNS_REFUSED', message, { retryable: false });
    }
    return Promise.all(
      names.map(async (written) => {
        const server = written.toLowerCase();
        const isInside = server.endsWith(`.${zone}`);
        const found = isInside ? await askAddresses(options, server, signal) : [];
        return { server, addresses: found.length > 0 ? found : [await addressOf(server)] };
      }),
    );
  }

  /** What the first address of a name server that answers says. */
  async #askFirst(
    [address = '', ...others]: readonly string[],
    name: string,
    signal: AbortSignal,
  ): Promise<string[]> {
    const { port } = this.#options.server;
    try {
      return await askAddresses(this.#askOptions({ address, port }), name, signal);
    } catch (error) {
      if (others.length === 0) throw error;
      signal.throwIfAborted();
      return this.#askFirst(others, name, signal);
    }
  }

  #askOptions(server: ServerAddress): AskOptions {
    const { zone, trySeconds = 1 } = this.#options;
    return { server, zone, trySeconds };
  }
}

const markOf = (name: string): string => `_instance-manager.${name}`;

const removeAll = (name: string, type: number): UpdateRecord => ({
  ...{ name, type, class: classes.ANY },
});

const clear = (name: string): UpdateRecord[] => [
  removeAll(name, types.A),
  removeAll(name, types.AAAA),
];

/** As a prerequisite: there is no record of this name. */
const isFree = (name: string): UpdateRecord => ({
  ...{ name, type: types.ANY, class: classes.NONE },
});

async function addressOf(name: string): Promise<string> {
  try {
    return (await lookup(name)).address;
  } catch (cause) {
    const message = `No address of the name server ${name} can be found. Add one to the zone or to the resolver of this machine.`;
    throw new DriverError('DNS_SERVER_UNKNOWN', message, { retryable: true, cause });
  }
}
