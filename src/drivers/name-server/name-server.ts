/** The name server of one zone: UDP, TCP, limits. The answers are made by zone.ts. */
import type { Socket } from 'node:dgram';
import { checkZoneName } from '../../lifecycle/dns-name.ts';
import { withTimeLimit } from '../../timing/time-limit.ts';
import {
  encodeReply,
  encodeTruncated,
  largestTcpBytes,
  type Query,
  type Reply,
  rcodes,
  receive,
  udpLimit,
} from '../dns/message.ts';
import { bindBoth } from './bind.ts';
import { createRateLimit, sourceOf } from './rate-limit.ts';
import { createTcpListener, type TcpLimits, type TcpListener } from './tcp-listener.ts';
import { createZone, type ZoneRecords } from './zone.ts';

export interface NameServerLimits extends TcpLimits {
  /** Per source address; UDP, whose sources can be forged, and TCP are counted apart. */
  readonly queriesPerSecond: number;
  readonly burst: number;
  /** Sources remembered by the rate limit. */
  readonly maxSources: number;
  /** UDP queries processed concurrently, of all sources; more are dropped. */
  readonly maxInFlight: number;
  /** A look-up that takes longer is answered with SERVFAIL. */
  readonly lookupSeconds: number;
}

const defaultLimits: NameServerLimits = {
  queriesPerSecond: 200,
  burst: 400,
  maxSources: 10_000,
  maxInFlight: 1_000,
  lookupSeconds: 2,
  maxConnections: 100,
  maxConnectionsPerSource: 10,
  idleSeconds: 10,
  maxPipelined: 16,
  maxMessageBytes: 4_096,
};

/** The part of a pino logger that is used. */
export interface NameServerLog {
  warn(details: object, message: string): void;
}

export interface NameServerOptions {
  /** The one zone served, lower case, without final dot: `instances.test`. */
  readonly zone: string;
  /** Address to listen on, UDP and TCP; a specific IPv4 one is also the A record of `ns.<zone>`. */
  readonly host: string;
  /** 0: a port that is free for both UDP and TCP. */
  readonly port: number;
  readonly records: ZoneRecords;
  readonly limits?: Partial<NameServerLimits>;
  readonly log?: NameServerLog;
}

export interface NameServer {
  /**
   * Listens on UDP and TCP. May be called again after `stop`.
   * @throws DriverError `DNS_PORT_TAKEN`, `DNS_PORT_FORBIDDEN` or `DNS_LISTEN_FAILED`
   */
  start(): Promise<{ port: number }>;
  /** Closes sockets and connections; may be called when not running. */
  stop(): Promise<void>;
  /** The port in use; before `start` the configured one. */
  readonly port: number;
  /** The address in use; before `start` the configured host. */
  readonly address: string;
}

interface Running {
  readonly udp: Socket;
  readonly tcp: TcpListener;
  readonly address: string;
  readonly port: number;
}

/** Interval with at most one log line about failed look-ups: a flood must not fill the disk. */
const logPauseMs = 5_000;

/**
 * An authoritative name server for one zone, in this process (RFC 1034, 1035, 2308, 6891, 7766,
 * 8482): A records from `records`, SOA and NS at the apex, REFUSED for everything outside.
 *
 * @throws when the zone is no valid name
 */
export function createNameServer(options: NameServerOptions): NameServer {
  const problems = checkZoneName(options.zone);
  if (problems.length > 0) throw new Error(`DNS_ZONE cannot be served. ${problems.join(' ')}`);
  const limits = { ...defaultLimits, ...options.limits };
  const warn = createQuietWarn(options.log);
  let starting: Promise<Running> | null = null;
  let running: Running | null = null;

  return {
    async start() {
      starting ??= open().catch((error: unknown) => {
        starting = null;
        throw error;
      });
      const mine = starting;
      const opened = await mine;
      if (mine === starting) running = opened;
      return { port: opened.port };
    },
    async stop() {
      const stopping = starting;
      starting = null;
      running = null;
      const parts = await stopping?.catch(() => null);
      if (!parts) return;
      await Promise.all([closeUdp(parts.udp), parts.tcp.close()]);
    },
    get port() {
      return running?.port ?? options.port;
    },
    get address() {
      return running?.address ?? options.host;
    },
  };

  async function open(): Promise<Running> {
    const tcpRate = rateLimit();
    const makeTcp = () =>
      createTcpListener(limits, {
        allow: (source) => tcpRate.take(source),
        respond: (message) => respond(message, () => largestTcpBytes),
      });
    const zone = createZone(options.zone, options.records, options.host);
    const bound = await bindBoth(options.host, options.port, makeTcp);
    bound.tcp.server.on('error', (error) => warn({ err: error }, 'DNS over TCP failed'));
    serveUdp(bound.udp);
    return bound;

    /** Null: no reply. Never rejects: a failure inside is answered with SERVFAIL. */
    async function respond(message: Buffer, limit: (query: Query) => number) {
      const received = receive(message);
      if (received.kind === 'noise') return null;
      const { query } = received;
      if (received.kind === 'refusal') {
        const refusal: Reply = { rcode: received.rcode, authoritative: false };
        return encodeReply(query, refusal, limit(query));
      }
      try {
        const reply = await withTimeLimit(
          limits.lookupSeconds * 1000,
          zone.answer(received.question),
          () =>
            new Error(`The store of DNS records did not answer within ${limits.lookupSeconds} s.`),
        );
        return encodeReply(query, reply, limit(query));
      } catch (error) {
        warn({ err: error, zone: options.zone }, 'A DNS record could not be looked up');
        const failure: Reply = { rcode: rcodes.SERVFAIL, authoritative: false };
        return encodeReply(query, failure, limit(query));
      }
    }

    function serveUdp(udp: Socket): void {
      const rate = rateLimit();
      let inFlight = 0;
      let limited = 0;
      const send = (reply: Buffer, port: number, address: string) => {
        try {
          // Errors of single datagrams (an unreachable or impossible sender) are ignored.
          udp.send(reply, port, address, () => {});
        } catch {
          // The socket was closed during the look-up.
        }
      };
      udp.on('error', (error) => warn({ err: error }, 'DNS over UDP failed'));
      udp.on('message', (message, { address, port }) => {
        if (port === 0 || message.length > limits.maxMessageBytes) return;
        if (!rate.take(sourceOf(address))) {
          // Every second one is told to use TCP, so a real client behind forged packets gets
          // through.
          limited += 1;
          const received = limited % 2 === 0 ? receive(message) : null;
          if (received?.kind === 'question') send(encodeTruncated(received.query), port, address);
          return;
        }
        if (inFlight >= limits.maxInFlight) return;
        inFlight += 1;
        void respond(message, udpLimit).then((reply) => {
          inFlight -= 1;
          if (reply) send(reply, port, address);
        });
      });
    }
  }

  function rateLimit() {
    const { queriesPerSecond: perSecond, burst, maxSources } = limits;
    return createRateLimit({ perSecond, burst, maxSources });
  }
}

function closeUdp(udp: Socket): Promise<void> {
  return new Promise((resolve) => udp.close(() => resolve()));
}

function createQuietWarn(log: NameServerLog | undefined): NameServerLog['warn'] {
  let quietUntil = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (details, message) => {
    if (performance.now() < quietUntil) {
      suppressed += 1;
      return;
    }
    log?.warn({ ...details, suppressed }, message);
    quietUntil = performance.now() + logPauseMs;
    suppressed = 0;
  };
}
