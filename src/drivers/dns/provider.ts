/** Keeps the A records of hosts: the name server in this process, or another implementation. */
export interface DnsProvider {
  readonly kind: string;
  /** Creates or replaces the one A record of a name. */
  publish(record: ARecord, signal: AbortSignal): Promise<void>;
  /** Removes the record of a name; removing what is not there succeeds. */
  withdraw(name: string, signal: AbortSignal): Promise<void>;
  /** Asks the name server itself, over the network, for the A records of a name. */
  resolve(name: string, signal: AbortSignal): Promise<readonly string[]>;
}

export interface ARecord {
  /** Fully qualified, lower case, without the final dot: `greenhouse-1.instances.test`. */
  readonly name: string;
  /** IPv4, dotted. */
  readonly address: string;
  readonly ttlSeconds: number;
}
