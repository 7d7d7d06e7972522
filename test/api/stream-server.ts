/** A server whose subscription follows a list in memory, and clients that read when they are told. */
import { channel as diagnostics } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createSchema } from 'graphql-yoga';
import { pino } from 'pino';
import { WebSocket } from 'ws';
import { defaultLimits, type ServerLimits } from '../../src/api/base/limits.ts';
import { parseConfig } from '../../src/config.ts';
import type { Channel, Follower } from '../../src/feed/channel/channel.ts';
import { ChannelSource, shared } from '../../src/feed/channel/channel-source.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import {
  createHttpServer,
  type HttpServer,
  type HttpServerConfig,
} from '../../src/server/server.ts';
import { defaultStreamLimits, type StreamLimits } from '../../src/server/wire/stream-limits.ts';
import { createStore, type Store } from '../../src/store/commit/store.ts';
import type { Database } from '../../src/store/database/database.ts';
import type { LogPosition } from '../../src/store/log/log.ts';
import { until } from '../harness/eventually.ts';
import { adminToken, send, testSettings } from './api-server.ts';

interface Item extends LogPosition {
  readonly cursor: string;
  readonly number: number;
  readonly text: string;
}

export interface StreamServer {
  readonly port: number;
  readonly server: HttpServer;
  readonly store: Store;
  readonly dataDir: string;
  readonly isSecure: boolean;
  /** Appends texts, all at once. */
  append(...texts: string[]): void;
  /** How many there are. */
  readonly count: number;
  /** Keeps those who subscribe from joining until the function is called. */
  holdJoins(): () => void;
  /** How many are kept from joining. */
  readonly heldJoins: number;
  /** Subscriptions that the server counts as open. */
  openSubscriptions(): Promise<number>;
  /** The server's side of its connections, in the order in which they came. */
  readonly sockets: readonly Socket[];
  /** Appends so large texts until something waits for this socket; nobody waits for its reader. */
  fill(socket: Socket, bytes: number): Promise<void>;
  stop(): Promise<void>;
}

const typeDefs = /* GraphQL */ `
  type Query { hello: String, text(bytes: Int!): String }
  type Item { number: Int!, text: String! }
  type Subscription { items(after: String): Item!, runtimeCommands: Item! }
`;

/** What is in it, from any cursor `c<number>`. */
function createList() {
  const items: Item[] = [];
  const followers = new Set<Follower<Item>>();
  const position = () => ({ revision: items.length, place: 0 });
  const joins = { gate: Promise.resolve(), held: 0 };
  const channel: Channel<Item> = {
    get position() {
      return position();
    },
    follow(follower) {
      followers.add(follower);
      return () => followers.delete(follower);
    },
    replay(from) {
      let at = items.length;
      if ('revision' in from) at = from.revision;
      else if (from.after) at = Number(from.after.slice(1));
      return {
        async ready() {
          joins.held += 1;
          await joins.gate;
          joins.held -= 1;
        },
        get position() {
          return { revision: at, place: 0 };
        },
        next() {
          const taken = items.slice(at, at + 100);
          at += taken.length;
          return taken.length > 0 ? taken : null;
        },
        close() {},
      };
    },
  };
  return {
    items,
    channel,
    joins,
    append(...texts: string[]) {
      const added = texts.map((text) => {
        const number = items.length + 1;
        const item = { revision: number, place: 0, cursor: `c${number}`, number, text };
        items.push(item);
        return item;
      });
      for (const follower of followers) follower.onItems(added);
    },
  };
}

export async function startStreamServer(
  database: Database,
  options: {
    streamLimits?: Partial<StreamLimits>;
    limits?: Partial<ServerLimits>;
    config?: Partial<HttpServerConfig>;
  } = {},
): Promise<StreamServer> {
  const list = createList();
  const schema = createSchema({
    typeDefs,
    resolvers: {
      Query: {
        hello: () => 'world',
        text: (_root, { bytes }) => 'x'.repeat(bytes),
      },
      Subscription: {
        items: {
          subscribe: () =>
            new ChannelSource<Item>({
              channel: list.channel,
              rootOf: (item) => item,
              beginning: ({ after }, lastEventId) => ({
                after: lastEventId ?? (after as string | null),
              }),
            }) as never,
          resolve: (item: unknown) => item,
        },
        runtimeCommands: {
          async *subscribe() {
            yield { number: 1, text: 'command' };
            await new Promise(() => {});
          },
          resolve: (item: unknown) => item,
        },
      },
    },
  });
  Object.assign(schema.getSubscriptionType()?.getFields().items?.extensions ?? {}, shared);
  const dataDir = mkdtempSync(join(tmpdir(), 'im-streams-'));
  const store = createStore(database, defaultDeadlines);
  const server = createHttpServer({
    config: {
      ...parseConfig(testSettings),
      ...{ dataDir, adminToken, limits: { ...defaultLimits, ...options.limits } },
      // No pings but in the tests of pings: one that does not read does not answer them either.
      streamLimits: { ...defaultStreamLimits, pingSeconds: 600, ...options.streamLimits },
      ...options.config,
    },
    store,
    schema,
    createContext: () => ({}),
    log: pino({ level: 'silent' }),
    version: '0.0.0-test',
    ready: async () => true,
  });
  const { port } = await server.start();
  const sockets: Socket[] = [];
  const connections = diagnostics('net.server.socket');
  const onConnection = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    if (socket.localPort === port) sockets.push(socket);
  };
  connections.subscribe(onConnection);
  return {
    ...{ port, server, store, dataDir, sockets, append: list.append },
    isSecure: options.config?.tlsCertFile !== undefined,
    get count() {
      return list.items.length;
    },
    holdJoins() {
      let release = () => {};
      list.joins.gate = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    get heldJoins() {
      return list.joins.held;
    },
    async openSubscriptions() {
      const { text } = await send({ port }, '/metrics', {});
      const gauge = /^instance_manager_open_operations\{.*kind="subscription".*\} (\d+)$/gm;
      return [...text.matchAll(gauge)].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async fill(socket, bytes) {
      const isWaiting = () => socket.writableLength >= Math.min(bytes, 1 + 64 * 1024);
      // The kernel takes megabytes, and what it does not take now it may take a moment later.
      for (let looks = 0; looks < 10; looks = isWaiting() ? looks + 1 : 0) {
        if (!isWaiting()) list.append('x'.repeat(bytes));
        await delay(2);
      }
    },
    async stop() {
      connections.unsubscribe(onConnection);
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Message {
  readonly type: string;
  readonly id?: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server sends, read by assertions
  readonly payload?: any;
  /** Of the frame's payload. */
  readonly bytes: number;
}

/** A client over a WebSocket that may stop to read. */
export class Client {
  readonly socket: WebSocket;
  /** The server's side. */
  server!: Socket;
  readonly messages: Message[] = [];
  closed: { code: number; reason: string } | null = null;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.messages.push({ ...JSON.parse(String(data)), bytes: data.length });
    });
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: `${reason}` };
    });
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  subscribe(id: string, query: string, variables?: object): void {
    this.say({ type: 'subscribe', id, payload: { query, variables } });
  }

  /** Payloads of an operation. */
  of(id: string, type = 'next') {
    return this.messages.filter((each) => each.id === id && each.type === type);
  }

  /** Numbers of the items that a subscription got. */
  numbers(id: string): number[] {
    return this.of(id).map(({ payload }) => Number(payload.extensions.cursor.slice(1)));
  }

  async has(id: string, count: number): Promise<void> {
    await until(`${count} of ${id.slice(0, 20)}`, () => this.of(id).length >= count);
  }

  async isClosed(): Promise<{ code: number; reason: string }> {
    await until('it is closed', () => this.closed !== null);
    return this.closed as { code: number; reason: string };
  }
}

export async function connectClient(api: StreamServer, token = adminToken): Promise<Client> {
  const { port, isSecure } = api;
  const before = api.sockets.length;
  const url = `ws${isSecure ? 's' : ''}://127.0.0.1:${port}/graphql`;
  const client = new Client(
    new WebSocket(url, 'graphql-transport-ws', { rejectUnauthorized: false }),
  );
  await once(client.socket, 'open');
  client.server = api.sockets[before] as Socket;
  client.say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await until(
    'it is answered',
    () => client.closed !== null || client.messages.some(({ type }) => type === 'connection_ack'),
  );
  return client;
}

export interface EventClient {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
  readonly server: Socket;
  /** All that was read so far. */
  readonly text: () => string;
  readonly cursors: () => string[];
  readonly isOver: () => boolean;
}

/** A client of Server-Sent Events that may stop to read. */
export async function openEvents(
  api: StreamServer,
  query: string,
  headers: Record<string, string> = { authorization: `Bearer ${adminToken}` },
): Promise<EventClient> {
  const before = api.sockets.length;
  const sent = request({
    ...{ host: '127.0.0.1', port: api.port, path: '/graphql', method: 'POST', agent: false },
    headers: { ...headers, accept: 'text/event-stream', 'content-type': 'application/json' },
  });
  sent.on('error', () => {});
  sent.end(JSON.stringify({ query }));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  let isOver = false;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
  });
  response.on('error', () => {});
  response.on('close', () => {
    isOver = true;
  });
  return {
    ...{ request: sent, response, server: api.sockets[before] as Socket },
    text: () => text,
    cursors: () => [...text.matchAll(/^id: (c\d+)$/gm)].map(([, cursor]) => cursor ?? ''),
    isOver: () => isOver,
  };
}
