/**
 * The one connection to the API, kept up without limit: graphql-ws over `ws`. Every connection
 * begins with the subscription to the commands and the report ONLINE. A request without a
 * connection is rejected at once (`Disconnected`); the caller retries.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { backOff } from '../timing/back-off.ts';
import { waitAtMost } from '../timing/time-limit.ts';
import type { Log } from './log.ts';
import {
  type Answer,
  commandsDocument,
  Disconnected,
  logWatchDocument,
  RequestRejected,
  RunEnded,
  type RuntimeCommand,
} from './protocol.ts';

export interface Connection {
  /**
   * Sends one mutation whose field is aliased `result`. Rejects: `Disconnected`, `RequestRejected`,
   * `RunEnded`.
   */
  request(document: string, input: object): Promise<Answer>;
  /** Runs a query whose field is aliased `result`. Rejects as `request` does. */
  query<Result>(document: string, variables: Record<string, unknown>): Promise<Result>;
  /** Closes it for good. */
  close(): Promise<void>;
}

export interface ConnectionOptions {
  /** Of several, a connection that fails is followed by one to the next. */
  readonly endpoints: () => Promise<readonly string[]>;
  readonly runKey: string;
  /** PEM of authorities to trust beside the public ones. */
  readonly authorities: string | null;
  readonly log: Log;
  /** Called on each connection, after the subscription was sent: reports ONLINE. */
  readonly onConnected: () => Promise<unknown>;
  readonly onCommand: (command: RuntimeCommand) => void;
  /** Called with the watch of the log, on each connection and when it changes; null: nobody reads. */
  readonly onLogWatch?: (watch: string | null) => void;
  readonly onRunEnded: (reason: string) => void;
}

interface Closed {
  /** 0: it was never open. */
  readonly code: number;
  /** Empty: none was given, as where a connection is cut. */
  readonly reason: string;
}

/** Close code of a peer that received a message larger than it accepts. */
const messageTooBig = 1009;
const requestMilliseconds = 15_000;
const pingMilliseconds = 10_000;
const pongMilliseconds = 5_000;
/** Clients that lost one server together should not reconnect together. */
const reconnectBackOffMs = { first: 200, max: 5_000, jitter: 0.75 };
/** The server is busy: reconnect, but not at once. */
const tryAgainLater = 1013;
const busyBackOffMs = { ...reconnectBackOffMs, first: 1_000 };
/** Close codes that mean that the key, and with it the run, is no longer valid. */
const runEndedCodes: readonly number[] = [4401, 4403];

/**
 * Of one message of the API. The largest is LOAD_SOLUTION: a definition, which is as long as a
 * request at most (1 MiB), and 100 settings of 10,000 characters, each of six bytes in JSON.
 */
const messageBytes = 8 * 1024 * 1024;

/** The class of the sockets: bounded, and trusting these authorities beside the public ones. */
function socketClass(authorities: string | null): typeof WebSocket {
  const trust = authorities === null ? {} : { ca: [...rootCertificates(), authorities] };
  return class extends WebSocket {
    constructor(address: string, protocols?: string | string[]) {
      super(address, protocols, { handshakeTimeout: 10_000, maxPayload: messageBytes, ...trust });
    }
  } as typeof WebSocket;
}

/** Loaded on demand: a runtime without `wss:` does without TLS, and its memory. */
const rootCertificates = () => process.getBuiltinModule('node:tls').rootCertificates;

/** Connects and reconnects until it is closed or the run is over. */
export function openConnection(options: ConnectionOptions): Connection {
  const closing = new AbortController();
  const webSocket = socketClass(options.authorities);
  let online: Client | undefined;

  async function keepConnected(): Promise<void> {
    let failures = 0;
    while (!closing.signal.aborted) {
      const closed = await connectOnce(failures, () => {
        if (failures > 0) options.log.info('Connected to the API again.');
        failures = 0;
      });
      if (closing.signal.aborted) return;
      if (runEndedCodes.includes(closed.code)) {
        options.onRunEnded(`the API closed the connection: ${causeOf(closed)}`);
        return;
      }
      failures += 1;
      if (failures === 1) {
        options.log.warn(`No connection to the API (${causeOf(closed)}); retrying.`);
      }
      const waits = closed.code === tryAgainLater ? busyBackOffMs : reconnectBackOffMs;
      const wait = backOff(waits, failures - 1);
      await delay(wait, undefined, { signal: closing.signal }).catch(() => {});
    }
  }

  async function connectOnce(failures: number, connected: () => void): Promise<Closed> {
    try {
      const urls = await options.endpoints();
      const url = urls[failures % urls.length] ?? '';
      return await connect({
        ...{ url, webSocket, runKey: options.runKey, signal: closing.signal },
        async onOpen(client) {
          online = client;
          receiveCommands(client, options.onCommand);
          receiveLogWatches(client, options.onLogWatch);
          await options.onConnected();
          connected();
        },
      });
    } catch (error) {
      return describe(error);
    } finally {
      online = undefined;
    }
  }

  const finished = keepConnected();

  async function query<Result>(
    document: string,
    variables: Record<string, unknown>,
  ): Promise<Result> {
    if (online === undefined) throw new Disconnected('There is no connection to the API.');
    return await execute<Result>(online, document, variables);
  }

  async function request(document: string, input: object): Promise<Answer> {
    const answer = await query<Answer>(document, { input });
    if (answer.__typename !== 'RuntimeReportRefused' || answer.code !== 'STALE_REPORT') {
      return answer;
    }
    options.onRunEnded(answer.message ?? 'the API answered STALE_REPORT');
    throw new RunEnded('The run is over.');
  }

  return {
    request,
    query,
    async close() {
      closing.abort();
      await waitAtMost(1_000, finished);
    },
  };
}

/** Connects; resolves when the connection is closed, which it is if `onOpen` rejects. */
async function connect(options: {
  readonly url: string;
  readonly webSocket: typeof WebSocket;
  readonly runKey: string;
  /** Closes it. */
  readonly signal: AbortSignal;
  readonly onOpen: (client: Client) => Promise<void>;
}): Promise<Closed> {
  const { url, webSocket, runKey, signal, onOpen } = options;
  let pong: NodeJS.Timeout | undefined;
  /** The reason of a failed connection, if it is known; the close event that follows has none. */
  let problem = '';
  let dispose = () => {};
  const closed = await new Promise<Closed>((resolve) => {
    const ended = (event: unknown) => {
      const { code, reason } = describe(event);
      resolve({ code, reason: reason || problem });
    };
    const terminate = () => client.terminate();
    const client = createClient({
      url,
      webSocketImpl: webSocket,
      connectionParams: { authorization: `Bearer ${runKey}` },
      connectionAckWaitTimeout: 10_000,
      lazy: false,
      retryAttempts: 0,
      keepAlive: pingMilliseconds,
      onNonLazyError: ended,
      on: {
        connected: () => void onOpen(client).catch(terminate),
        closed: ended,
        error: (event) => {
          problem = describe(event).reason;
        },
        // A peer that vanished silently is detected by its missing pong.
        ping: (received) => {
          if (!received) pong = setTimeout(terminate, pongMilliseconds);
        },
        pong: (received) => {
          if (received) clearTimeout(pong);
        },
      },
    });
    dispose = () => void client.dispose();
    signal.addEventListener('abort', dispose, { once: true });
  });
  signal.removeEventListener('abort', dispose);
  clearTimeout(pong);
  return closed;
}

/** Subscribes to the commands. A connection without the subscription is closed. */
function receiveCommands(client: Client, onCommand: ConnectionOptions['onCommand']): void {
  const terminate = () => client.terminate();
  client.subscribe<{ runtimeCommands: RuntimeCommand }>(
    { query: commandsDocument },
    {
      next: ({ data, errors }) => {
        if (data) onCommand(data.runtimeCommands);
        if (errors) terminate();
      },
      error: terminate,
      complete: terminate,
    },
  );
}

/** Subscribes to the watches of the log. An API of before has none: then nobody reads it through it. */
function receiveLogWatches(client: Client, onLogWatch: ConnectionOptions['onLogWatch']): void {
  client.subscribe<{ runtimeLogWatch: { readonly id: string | null } }>(
    { query: logWatchDocument },
    {
      next({ data }) {
        if (data) onLogWatch?.(data.runtimeLogWatch.id);
      },
      error() {},
      complete() {},
    },
  );
}

function execute<Result>(
  client: Client,
  query: string,
  variables: Record<string, unknown>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let result: Result | undefined;
    const fail = (reason: unknown) => {
      clearTimeout(timer);
      reject(errorOf(reason));
    };
    const cancel = client.subscribe<{ result: Result | null }>(
      { query, variables },
      {
        next: ({ data, errors }) => {
          result = data?.result ?? undefined;
          if (errors !== undefined) fail(errors);
        },
        error: fail,
        complete: () => {
          if (result === undefined) return fail('the connection ended before the answer');
          clearTimeout(timer);
          resolve(result);
        },
      },
    );
    const timer = setTimeout(() => {
      fail('no answer within 15 s');
      cancel();
    }, requestMilliseconds);
    timer.unref();
  });
}

/** GraphQL errors come as a list; the end of a connection as one event, error or text. */
function errorOf(reason: unknown): Disconnected | RequestRejected {
  if (Array.isArray(reason)) {
    const first = reason[0] as { message?: unknown; extensions?: { code?: unknown } } | undefined;
    const code = String(first?.extensions?.code ?? 'ERROR');
    return new RequestRejected(code, String(first?.message ?? 'no message'));
  }
  const closed = describe(reason);
  return closed.code === messageTooBig
    ? new RequestRejected('PAYLOAD_TOO_LARGE', 'a message was larger than the API takes')
    : new Disconnected(causeOf(closed));
}

/** In words: of code and reason what there is. */
const causeOf = ({ code, reason }: Closed): string =>
  [code || '', reason].filter(Boolean).join(' ') || 'no reason given';

function describe(event: unknown): Closed {
  const one: unknown = Array.isArray(event) ? event[0] : event;
  if (typeof one !== 'object' || one === null) return { code: 0, reason: String(one) };
  const code = 'code' in one && typeof one.code === 'number' ? one.code : 0;
  if ('reason' in one && typeof one.reason === 'string') return { code, reason: one.reason };
  return { code, reason: 'message' in one ? String(one.message) : '' };
}
