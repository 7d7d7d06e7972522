/** The DNS provider on the name server of this process. */
import { isIPv4 } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { checkDnsName } from '../../lifecycle/dns-name.ts';
import { runWithin } from '../../timing/time-limit.ts';
import { DriverError } from '../driver.ts';
import { type Exchanged, exchange, type ServerAddress } from './exchange.ts';
import { rcodes } from './message.ts';
import type { ARecord, DnsProvider } from './provider.ts';

/** The records of the zone, kept by the store. Both operations may be repeated. */
export interface RecordWriter {
  /** Creates or replaces the one record of a name. */
  save(record: ARecord): Promise<void>;
  /** Removes the record of a name; removing what is not there succeeds. */
  remove(name: string): Promise<void>;
}

export interface ServerDnsProviderOptions {
  /** Read for each query, so a `NameServer` that starts later can be passed. */
  readonly server: ServerAddress;
  /** Lower case, without final dot. */
  readonly zone: string;
  readonly records: RecordWriter;
  /** Time limit of one attempt. */
  readonly trySeconds?: number;
}

const maxTries = 3;
/** Pause between attempts that failed at once, as if nobody listens yet. */
const retryPauseMs = 100;

/**
 * The DNS provider on the name server of this process. Publishing writes a record to the store;
 * resolving queries the server over the network.
 *
 * Errors are `DriverError`s: `DNS_RECORD_INVALID`; `DNS_REFUSED` (the server of another zone
 * answers); `DNS_SILENT` and `DNS_SERVER_FAILED` (retryable). An aborted signal rejects with its
 * reason.
 */
export function createServerDnsProvider(options: ServerDnsProviderOptions): DnsProvider {
  return {
    kind: 'NAME_SERVER',
    async publish(record, signal) {
      signal.throwIfAborted();
      const problems = checkDnsName(record.name, options.zone);
      if (!isIPv4(record.address)) {
        problems.push(
          `${JSON.stringify(record.address)} is no IPv4 address: an A record needs one.`,
        );
      }
      if (problems.length > 0) {
        throw new DriverError('DNS_RECORD_INVALID', problems.join(' '), { retryable: false });
      }
      await options.records.save(record);
    },
    async withdraw(name, signal) {
      signal.throwIfAborted();
      await options.records.remove(name);
    },
    async resolve(asked, signal) {
      const name = asked.toLowerCase();
      const { rcode, answers } = await ask(options, name, signal);
      if (rcode === rcodes.NXDOMAIN) return [];
      if (rcode !== rcodes.NOERROR) throw refused(options, name, rcode);
      return answers.flatMap((answer) =>
        answer.type === 'A' && answer.name.toLowerCase() === name ? [answer.data] : [],
      );
    },
  };
}

async function ask(
  { server, trySeconds = 1 }: ServerDnsProviderOptions,
  name: string,
  signal: AbortSignal,
): Promise<Exchanged> {
  let failed: Exchanged | null = null;
  let cause: unknown;
  for (let tried = 1; tried <= maxTries; tried += 1) {
    signal.throwIfAborted();
    if (tried > 1) await pause(retryPauseMs, undefined, { signal });
    try {
      const answer = await runWithin(trySeconds * 1000, signal, (limit) =>
        exchange(server, name, limit),
      );
      if (answer.rcode !== rcodes.SERVFAIL) return answer;
      failed = answer;
    } catch (error) {
      signal.throwIfAborted();
      cause = error;
    }
  }
  if (failed) return failed;
  throw new DriverError(
    'DNS_SILENT',
    `The name server at ${server.address}:${server.port} did not answer a question for ${name} in ${maxTries} tries. See whether it runs and whether a firewall is in between.`,
    { retryable: true, cause },
  );
}

function refused({ server, zone }: ServerDnsProviderOptions, name: string, rcode: number) {
  const where = `The name server at ${server.address}:${server.port}`;
  if (rcode === rcodes.SERVFAIL) {
    return new DriverError(
      'DNS_SERVER_FAILED',
      `${where} could not look up ${name} (SERVFAIL): its records cannot be read at the moment. Try again.`,
      { retryable: true },
    );
  }
  return new DriverError(
    'DNS_REFUSED',
    `${where} does not answer for ${name} (response code ${rcode}). See whether it serves the zone ${zone}, and whether the name lies inside it.`,
    { retryable: false },
  );
}
