/** Questions to a name server, repeated over a network that loses packets, and what it answers. */
import { isIP } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { checkDnsName } from '../../lifecycle/dns-name.ts';
import { runWithin } from '../../timing/time-limit.ts';
import { DriverError } from '../driver.ts';
import {
  type Asked,
  addressText,
  type Exchanged,
  exchange,
  type ServerAddress,
} from './exchange.ts';
import { rcodes } from './message.ts';
import { type AddressRecord, canonicalAddress } from './provider.ts';

export interface AskOptions {
  /** Read for each question, so a `NameServer` that starts later can be passed. */
  readonly server: ServerAddress;
  /** Lower case, without final dot. */
  readonly zone: string;
  /** Time limit of one attempt. */
  readonly trySeconds?: number;
}

const maxTries = 3;
/** Pause between attempts that failed at once, as if nobody listens yet. */
const retryPauseMs = 100;

/**
 * The data of the records of this name and type, as text; none if there is no such name.
 *
 * Errors are `DriverError`s: `DNS_REFUSED` (the server of another zone answers); `DNS_SILENT` and
 * `DNS_SERVER_FAILED` (retryable). An aborted signal rejects with its reason.
 */
export async function ask(
  options: AskOptions,
  { name, type }: Asked,
  signal: AbortSignal,
): Promise<string[]> {
  const { rcode, answers } = await askRepeatedly(options, { name, type }, signal);
  if (rcode === rcodes.NXDOMAIN) return [];
  if (rcode !== rcodes.NOERROR) throw refused(options, name, rcode);
  return answers.flatMap((answer) =>
    answer.type === type && answer.name.toLowerCase() === name && 'data' in answer
      ? [[answer.data].flat().join('')]
      : [],
  );
}

/** The addresses of a name, IPv4 first, as `canonicalAddress` writes them. Errors: see `ask`. */
export async function askAddresses(
  options: AskOptions,
  name: string,
  signal: AbortSignal,
): Promise<string[]> {
  const ipv4 = await ask(options, { name, type: 'A' }, signal);
  const ipv6 = await ask(options, { name, type: 'AAAA' }, signal);
  return [...ipv4, ...ipv6].map(canonicalAddress);
}

/** @throws DriverError `DNS_RECORD_INVALID`, with every reason why the zone cannot hold the record */
export function checkRecord({ name, address }: AddressRecord, zone: string): void {
  const problems = checkDnsName(name, zone);
  if (isIP(address) === 0) {
    problems.push(`${JSON.stringify(address)} is no IP address: an address record needs one.`);
  }
  if (problems.length > 0) {
    throw new DriverError('DNS_RECORD_INVALID', problems.join(' '), { retryable: false });
  }
}

async function askRepeatedly(
  { server, trySeconds = 1 }: AskOptions,
  asked: Asked,
  signal: AbortSignal,
): Promise<Exchanged> {
  let failed: Exchanged | null = null;
  let cause: unknown;
  for (let tried = 1; tried <= maxTries; tried += 1) {
    signal.throwIfAborted();
    if (tried > 1) await pause(retryPauseMs, undefined, { signal });
    try {
      const answer = await runWithin(trySeconds * 1000, signal, (limit) =>
        exchange(server, asked, limit),
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
    `The name server at ${addressText(server)} did not answer a question for ${asked.name} in ${maxTries} tries. See whether it runs and whether a firewall is in between.`,
    { retryable: true, cause },
  );
}

function refused({ server, zone }: AskOptions, name: string, rcode: number) {
  const where = `The name server at ${addressText(server)}`;
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
