/** Sends one signed update to the primary server of a zone, and says in words why one was refused. */
import { randomInt } from 'node:crypto';
import { runWithin } from '../../timing/time-limit.ts';
import { DriverError } from '../driver.ts';
import { addressText, overTcp, type ServerAddress } from './exchange.ts';
import { sign, type TsigKey, tsigErrors, type Verified, verify } from './tsig.ts';
import { encodeUpdate, readReply, type Update, type UpdateReply } from './update-message.ts';

export interface UpdateTarget {
  readonly server: ServerAddress;
  readonly key: TsigKey;
  /** Time limit of the whole exchange. */
  readonly seconds: number;
}

const rcodes = {
  NOERROR: 0,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
} as const;
const refusals = { 4: 'NOTIMP', 5: 'REFUSED', 9: 'NOTAUTH', 10: 'NOTZONE' } as const;
const unmet: readonly number[] = [rcodes.NXDOMAIN, rcodes.YXDOMAIN, rcodes.YXRRSET, rcodes.NXRRSET];

/**
 * Sends an update over TCP, so that it is not applied twice.
 *
 * @returns false: a prerequisite does not hold, and nothing was changed
 * @throws DriverError `DNS_SILENT`, `DNS_SERVER_FAILED`, `DNS_CLOCK` (retryable), `DNS_KEY_REFUSED`, `DNS_REFUSED`
 */
export async function sendUpdate(
  { server, key, seconds }: UpdateTarget,
  update: Update,
  signal: AbortSignal,
): Promise<boolean> {
  const where = `The name server at ${addressText(server)}`;
  const id = randomInt(0x10000);
  const request = sign(encodeUpdate(id, update), key, Math.floor(Date.now() / 1000));
  const read = (bytes: Buffer) => {
    const reply = readReply(bytes, id);
    return reply && { reply, bytes };
  };
  const answer = await runWithin(seconds * 1000, signal, (limit) =>
    overTcp(server, request.message, read, limit),
  ).catch((cause: unknown) => {
    signal.throwIfAborted();
    const message = `${where} did not answer an update of ${update.zone} over TCP (${textOf(cause)}). See whether it runs and whether a firewall is in between.`;
    throw new DriverError('DNS_SILENT', message, { retryable: true, cause });
  });
  const { reply } = answer;
  const verified = verify(answer.bytes, reply, { key, requestMac: request.mac });
  const refusal = refusalOf(reply, verified, { where, key, zone: update.zone });
  if (refusal) throw refusal;
  return reply.rcode === rcodes.NOERROR;
}

interface Place {
  readonly where: string;
  readonly key: TsigKey;
  readonly zone: string;
}

/** Null: the update was applied, or a prerequisite does not hold. */
function refusalOf(reply: UpdateReply, verified: Verified, place: Place): DriverError | null {
  const { where, key, zone } = place;
  const { rcode } = reply;
  if (verified.error !== 0) return keyRefusal(verified, place);
  if (rcode === rcodes.SERVFAIL) {
    const message = `${where} could not update ${zone} (SERVFAIL): see its log; its zone file may not be writable.`;
    return new DriverError('DNS_SERVER_FAILED', message, { retryable: true });
  }
  if (rcode !== rcodes.NOERROR && !unmet.includes(rcode)) {
    const word = refusals[rcode as keyof typeof refusals] ?? `response code ${rcode}`;
    const message = `${where} does not let the key ${key.name} update ${zone} (${word}). See whether it is the primary server of this zone, and allow the key there (BIND: allow-update or update-policy).`;
    return new DriverError('DNS_REFUSED', message, { retryable: false });
  }
  if (!verified.isGenuine) {
    const message = `${where} answered an update of ${zone} without a valid signature of the key ${key.name}: somebody else may have answered. See DNS_SERVER.`;
    return new DriverError('DNS_KEY_REFUSED', message, { retryable: true });
  }
  return null;
}

function keyRefusal({ error, serverTime }: Verified, { where, key }: Place): DriverError {
  if (error === tsigErrors.BADTIME) {
    const off =
      serverTime === null ? '' : `, by ${Math.abs(Math.round(Date.now() / 1000 - serverTime))} s`;
    const message = `The clocks of this server and of the name server differ too much for a signature${off} (BADTIME). Set them by NTP.`;
    return new DriverError('DNS_CLOCK', message, { retryable: true });
  }
  const message =
    error === tsigErrors.BADSIG
      ? `${where} knows the key ${key.name}, with another secret or algorithm (BADSIG). Compare DNS_TSIG_SECRET and DNS_TSIG_ALGORITHM with its configuration.`
      : `${where} does not know the key ${key.name} with the algorithm ${key.algorithm} (TSIG error ${error}). Compare DNS_TSIG_NAME and DNS_TSIG_ALGORITHM with its configuration.`;
  return new DriverError('DNS_KEY_REFUSED', message, { retryable: false });
}

const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'no answer in time';
  return error.name === 'AbortError' || error.name === 'TimeoutError'
    ? 'no answer in time'
    : error.message;
};
