/** The authoritative answers of one zone. No I/O but the look-up of a record. */
import { isIP, isIPv4 } from 'node:net';
import type { Answer } from 'dns-packet';
import { nameServerName } from '../../lifecycle/dns-name.ts';
import { classIn, type Question, type Reply, rcodes, types } from '../dns/message.ts';
import type { AddressRecord } from '../dns/provider.ts';

/** The source of the records: the store. Names are lower case, without final dot. */
export interface ZoneRecords {
  /** The record of exactly this name, or null. A rejection becomes SERVFAIL. */
  find(name: string): Promise<AddressRecord | null>;
  /**
   * Is there a record below this name? Such a name exists although it has no record of its own.
   * Without this function, names between a record and the zone are answered with NXDOMAIN.
   */
  hasDescendant?(name: string): Promise<boolean>;
}

/** TTL of the zone's own records and of negative answers. */
const zoneTtlSeconds = 30;
const negativeTtlSeconds = 5;

export interface Zone {
  /** The authoritative answer. Rejects if the store does, or contains an invalid address. */
  answer(question: Question): Promise<Reply>;
}

/**
 * What one zone answers to each question.
 *
 * @param zone lower case, without final dot
 * @param address of the name server itself: `ns.<zone>`; unless IPv4 and specific, it has no A record
 */
export function createZone(zone: string, records: ZoneRecords, address: string): Zone {
  const zoneLabels = zone.split('.');
  const server = nameServerName(zone);
  const serial = createSerial();

  const soa = (owner: string): Answer => ({
    type: 'SOA',
    name: owner,
    ttl: negativeTtlSeconds,
    data: {
      mname: server,
      rname: `hostmaster.${zone}`,
      serial: serial(),
      refresh: 3600,
      retry: 600,
      expire: 86_400,
      minimum: negativeTtlSeconds,
    },
  });
  const glue = (owner: string): Answer[] =>
    isIPv4(address) && address !== '0.0.0.0'
      ? [{ type: 'A', name: owner, ttl: zoneTtlSeconds, data: address }]
      : [];
  const found = (answers: readonly Answer[], additionals: readonly Answer[] = []): Reply => ({
    rcode: rcodes.NOERROR,
    authoritative: true,
    answers,
    additionals,
  });
  const empty = (rcode: Reply['rcode']): Reply => ({
    rcode,
    authoritative: true,
    authorities: [soa(zone)],
  });
  /** The address records of a name that exists; the SOA when it has none of the type that is asked. */
  const addresses = (type: number, [answer]: readonly Answer[]): Reply => {
    const isAsked = answer && (type === types.ANY || type === types[answer.type as 'A' | 'AAAA']);
    return isAsked ? found([answer]) : empty(rcodes.NOERROR);
  };

  function apex({ type, name }: Question): Reply {
    // ANY gets one record set (RFC 8482), so it cannot be used for amplification.
    if (type === types.SOA || type === types.ANY) return found([soa(name)]);
    if (type !== types.NS) return empty(rcodes.NOERROR);
    const ns: Answer = { type: 'NS', name, ttl: zoneTtlSeconds, data: server };
    return found([ns], glue(server));
  }

  return {
    async answer(question) {
      if (question.class !== classIn || !isInside(question.labels, zoneLabels)) return refusal;
      // No zone transfers: the zone is read name by name.
      if (question.type === types.AXFR || question.type === types.IXFR) return refusal;
      if (question.labels.length === zoneLabels.length) return apex(question);
      if (!question.plain) return empty(rcodes.NXDOMAIN);

      const name = question.labels.join('.');
      if (name === server) return addresses(question.type, glue(question.name));
      const record = await records.find(name);
      if (record) {
        const { ttlSeconds: ttl, address: data } = record;
        // dns-packet would encode a wrong address without an error.
        if (isIP(data) === 0) throw new Error(`The record of ${name} holds no IP address.`);
        const type = isIPv4(data) ? 'A' : 'AAAA';
        return addresses(question.type, [{ type, name: question.name, ttl, data }]);
      }
      const exists = await records.hasDescendant?.(name);
      return empty(exists ? rcodes.NOERROR : rcodes.NXDOMAIN);
    },
  };
}

const refusal: Reply = { rcode: rcodes.REFUSED, authoritative: false };

/** Label by label, because a label may contain a dot. */
function isInside(labels: readonly string[], zone: readonly string[]): boolean {
  const offset = labels.length - zone.length;
  return offset >= 0 && zone.every((label, index) => labels[offset + index] === label);
}

/**
 * Unix seconds: increases over restarts and nodes without being stored, and never decreases here.
 */
function createSerial(): () => number {
  let last = 0;
  return () => {
    last = Math.max(last, Math.floor(Date.now() / 1000) % 2 ** 32);
    return last;
  };
}
