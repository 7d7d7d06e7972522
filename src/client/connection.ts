/**
 * The one WebSocket of a client: graphql-ws, which connects on demand and reconnects without limit.
 */
import { type Client, type ClientOptions, createClient } from 'graphql-ws/client';
import { backOff } from '../timing/back-off.ts';

export interface ConnectionOptions {
  /** Address of the API, `http(s)` or `ws(s)`; in a browser also a path: `/graphql`. */
  readonly url: string;
  /**
   * `{ authorization: 'Bearer …' }`, or a function that is called before each connect. A page that
   * is signed in by a session needs none.
   */
  readonly connectionParams?: ClientOptions['connectionParams'];
  /** Required where there is no global WebSocket (Node 20): that of `ws`. */
  readonly webSocketImpl?: unknown;
  /** Interval of pings. Without an answer within half of it the client reconnects. */
  readonly keepAliveSeconds?: number;
  /**
   * Longest wait between two attempts to connect. The first wait is under a second, then it
   * doubles.
   */
  readonly longestWaitSeconds?: number;
  /**
   * Called when the connection is established or lost. `heardAt`: when the server was last heard, which is
   * earlier where a connection is silent.
   */
  readonly onStatus?: (status: 'CONNECTED' | 'DISCONNECTED', heardAt: Date) => void;
}

export interface Connection {
  /** As graphql-ws's `subscribe`; unsubscribing is safe at any time. */
  readonly subscribe: Client['subscribe'];
  /**
   * Registers a callback for the disposal of the connection. @returns a function that removes it
   */
  onDispose(end: () => void): () => void;
  /** Waits with exponential back-off and jitter. */
  pause(attempt: number): Promise<void>;
  /** Closes it for good. */
  dispose(): Promise<void>;
}

const connectSeconds = 10;
/**
 * An idle connection is closed after this time, so unsubscribing and subscribing again keeps it.
 */
const idleMilliseconds = 500;
/** A wrong token is not retried. */
const forbidden = 4403;

/** Prepares a connection. @throws TypeError: invalid address */
export function openConnection(options: ConnectionOptions): Connection {
  const { connectionParams, keepAliveSeconds = 10, longestWaitSeconds = 30 } = options;
  const { location, WebSocket } = globalThis as unknown as Page;
  const address = new URL(options.url, location?.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const ends = new Set<() => void>();
  let attempts = 0;
  let isConnected = false;
  let heardAt = Date.now();
  let silence: ReturnType<typeof setTimeout> | undefined;

  /** If nothing is received within this time, the socket is terminated and another one opened. */
  function expectSign(seconds: number): void {
    clearTimeout(silence);
    silence = setTimeout(() => client.terminate(), seconds * 1000);
  }
  function heard(): void {
    clearTimeout(silence);
    silence = undefined;
  }
  function tell(now: boolean): void {
    heard();
    if (now === isConnected) return;
    isConnected = now;
    if (now) heardAt = Date.now();
    options.onStatus?.(now ? 'CONNECTED' : 'DISCONNECTED', new Date(heardAt));
  }
  function pause(attempt: number): Promise<void> {
    const seconds = backOff({ first: 1, max: longestWaitSeconds, jitter: 0.9 }, attempt);
    return new Promise((resolve) => {
      const end = (): void => {
        takeBack();
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(end, seconds * 1000);
      const takeBack = onDispose(end);
    });
  }
  function onDispose(end: () => void): () => void {
    ends.add(end);
    return () => ends.delete(end);
  }

  const client = createClient({
    url: address.href,
    connectionParams,
    webSocketImpl: forgetful((options.webSocketImpl ?? WebSocket) as SocketClass),
    keepAlive: keepAliveSeconds * 1000,
    lazyCloseTimeout: idleMilliseconds,
    retryAttempts: Number.POSITIVE_INFINITY,
    // A refused connection is an error, not a close event; by default graphql-ws would not retry
    // it.
    shouldRetry: (cause) => (cause as { code?: unknown } | null)?.code !== forbidden,
    // The counter of graphql-ws restarts with each connection, even if nothing was received over
    // it.
    retryWait: () => pause(attempts++),
    on: {
      connecting: () => expectSign(connectSeconds),
      connected: () => tell(true),
      closed: () => tell(false),
      ping: (received) => received || expectSign(keepAliveSeconds / 2),
      pong: (received) => received && heard(),
      message({ type }) {
        heardAt = Date.now();
        if (type !== 'connection_ack') attempts = 0;
        // A message shows that the server is alive, but the ping is still unanswered.
        if (silence !== undefined) expectSign(keepAliveSeconds / 2);
      },
    },
  });

  return {
    subscribe(payload, sink) {
      const unsubscribe = client.subscribe(payload, sink);
      // graphql-ws counts the users of a connection. An unsubscribe within the handling of a
      // message that is followed by `complete` would be counted twice, and close the connection for
      // all.
      return () => queueMicrotask(unsubscribe);
    },
    onDispose,
    pause,
    async dispose() {
      for (const end of [...ends]) end();
      heard();
      // Rejects while a connection is being established; then there is nothing to close.
      await Promise.resolve(client.dispose()).catch(() => {});
    },
  };
}

/** What a browser provides. */
interface Page {
  readonly location?: { readonly href: string };
  readonly WebSocket?: unknown;
}

interface Socket {
  onmessage: unknown;
  addEventListener(type: 'error', listener: () => void): void;
  close(code?: number, reason?: string): void;
}
type SocketClass = new (url: string, protocols?: string | string[]) => Socket;

/**
 * A terminated socket is ignored: what it still delivers comes again over the next one. Its errors
 * are ignored too, because `ws` throws an unhandled one if it was still connecting.
 */
function forgetful(Implementation: SocketClass | undefined): SocketClass | undefined {
  if (!Implementation) return undefined; // graphql-ws throws an error that explains it.
  return class extends Implementation {
    constructor(url: string, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('error', () => {});
    }

    override close(code?: number, reason?: string): void {
      this.onmessage = null;
      super.close(code, reason);
    }
  };
}
