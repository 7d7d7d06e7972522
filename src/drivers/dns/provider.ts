import { isIPv6, SocketAddress } from 'node:net';

/** Keeps the address records of hosts: the name server in this process, or another implementation. */
export interface DnsProvider {
  readonly kind: string;
  /** Creates or replaces the one address record of a name. */
  publish(record: AddressRecord, signal: AbortSignal): Promise<void>;
  /** Removes the record of a name; removing what is not there succeeds. */
  withdraw(name: string, signal: AbortSignal): Promise<void>;
  /** Asks each authoritative name server of the zone, over the network, for the addresses of a name. */
  resolve(name: string, signal: AbortSignal): Promise<readonly ServerAnswer[]>;
}

export interface AddressRecord {
  /** Fully qualified, lower case, without the final dot: `greenhouse-1.instances.test`. */
  readonly name: string;
  /** IPv4 (an A record) or IPv6 (AAAA). */
  readonly address: string;
  readonly ttlSeconds: number;
}

export interface ServerAnswer {
  /** The name server, for people. */
  readonly server: string;
  /** In the form of `canonicalAddress`. */
  readonly addresses: readonly string[];
}

/** Where the published records are kept for the API. Both operations may be repeated. */
export interface RecordWriter {
  /** Creates or replaces the one record of a name. */
  save(record: AddressRecord): Promise<void>;
  /** Removes the record of a name; removing what is not there succeeds. */
  remove(name: string): Promise<void>;
}

/** An IPv6 address has many spellings; this is one of them for each. */
export function canonicalAddress(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address;
}
