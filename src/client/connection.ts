/**
 * The one WebSocket of a client: graphql-ws, which connects when there is something to do, and again
 * for ever whenever the connection ends, however it ends.
 */
import { type Client, type ClientOptions, createClient } from 'graphql-ws/client';

export interface ConnectionOptions {
  /** Of the API, `http(s)` or `ws(s)`; in a browser also a path: `/graphql`. */
  readonly url: string;
  /**
   * `{ authorization: 'Bearer …' }`, or a function that is asked at each connect. A page that is
   * signed in by its session needs none.
   */
  readonly connectionParams?: ClientOptions['connectionParams'];
  /** Where there is no global WebSocket (Node 20): that of `ws`. */
  readonly webSocketImpl?: unknown;
  /** So often the server is asked whether it is there; no answer in half that time: connect anew. */
  readonly keepAliveSeconds?: number;
  /** Between two attempts to connect. The first comes within a second, then the wait doubles. */
  readonly longestWaitSeconds?: number;
  /** The connection is there, or no longer. */
  readonly onStatus?: (status: 'CONNECTED' | 'DISCONNECTED') => void;
}

export interface Connection {
  /** As graphql-ws's `subscribe`; unsubscribing is safe at any time. */
  readonly subscribe: Client['subscribe'];
  /** Calls it once when the connection is disposed of. @returns a function that takes it back */
  onDispose(end: () => void): () => void;
  /** Waits, the longer the more often it was tried, by chance so that not all come at once. */
  pause(attempt: number): Promise<void>;
  /** Closes it for good. */
  dispose(): Promise<void>;
}

const connectSeconds = 10;
/** Idle for so long it is closed: what unsubscribes and subscribes again keeps its connection. */
const idleMilliseconds = 500;
/** Who shows a wrong token is not let in by asking again. */
const forbidden = 4403;

/** Prepares a connection. @throws TypeError: the address is none */
export function openConnection(options: ConnectionOptions): Connection {
  const { connectionParams, keepAliveSeconds = 10, longestWaitSeconds = 30 } = options;
  const { location, WebSocket } = globalThis as unknown as Page;
  const address = new URL(options.url, location?.href);
  address.protocol = address.protocol.replace('http', 'ws');
  const ends = new Set<() => void>();
  let attempts = 0;
  let isConnected = false;
  let silence: ReturnType<typeof setTimeout> | undefined;

  /** No sign of life in this time: the socket is given up, and another one opened. */
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
    options.onStatus?.(now ? 'CONNECTED' : 'DISCONNECTED');
  }
  function pause(attempt: number): Promise<void> {
    const most = Math.min(longestWaitSeconds, 2 ** attempt) * 1000;
    return new Promise((resolve) => {
      const end = (): void => {
        takeBack();
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(end, most * (0.1 + 0.9 * Math.random()));
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
    // A refused connection is an error, and no close event: graphql-ws would give up.
    shouldRetry: (cause) => (cause as { code?: unknown } | null)?.code !== forbidden,
    // Its own count begins anew with each connection, even where nothing comes over it.
    retryWait: () => pause(attempts++),
    on: {
      connecting: () => expectSign(connectSeconds),
      connected: () => tell(true),
      closed: () => tell(false),
      ping: (received) => received || expectSign(keepAliveSeconds / 2),
      pong: (received) => received && heard(),
      message({ type }) {
        if (type !== 'connection_ack') attempts = 0;
        // What comes is a sign of life, but the answer to the ping is still to come.
        if (silence !== undefined) expectSign(keepAliveSeconds / 2);
      },
    },
  });

  return {
    subscribe(payload, sink) {
      const unsubscribe = client.subscribe(payload, sink);
      // Called while a message is handled, with `complete` in the same piece, it would be counted
      // twice, and the connection closed under all others: graphql-ws counts who needs it.
      return () => queueMicrotask(unsubscribe);
    },
    onDispose,
    pause,
    async dispose() {
      for (const end of [...ends]) end();
      heard();
      // It rejects where it was about to connect: then there is nothing to close.
      await Promise.resolve(client.dispose()).catch(() => {});
    },
  };
}

/** What a browser has. */
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
 * A socket that is given up is not heard any more: what it still brings comes again over the next
 * one. Nor is it anybody's error: `ws` raises one where nobody listens if it was still connecting.
 */
function forgetful(Implementation: SocketClass | undefined): SocketClass | undefined {
  if (!Implementation) return undefined; // graphql-ws says what to do.
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
