/** A server of the API with a small schema, on the real HTTP and WebSocket, for tests of transports. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GraphQLError } from 'graphql';
import { createSchema } from 'graphql-yoga';
import { pino } from 'pino';
import { defaultLimits } from '../../src/api/base/limits.ts';
import type { Viewer } from '../../src/api/base/viewer.ts';
import { parseConfig } from '../../src/config.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import type { Requester } from '../../src/server/execution/request.ts';
import {
  createHttpServer,
  type HttpServer,
  type HttpServerConfig,
} from '../../src/server/server.ts';
import { createStore, type Store } from '../../src/store/commit/store.ts';
import type { Database } from '../../src/store/database/database.ts';
import { openTestPglite } from '../harness/embedded.ts';

/** A machine that is busy with other tests refuses no subscription for it. */
export const testSettings = { PORT: '0', STREAM_BUSY_PERCENT: '100' };
export const adminToken = 'test-token-of-the-administrator-0123456789';

interface TestContext {
  readonly viewer: Viewer;
  readonly request: Requester;
}

/** What resolvers of the test schema did, for assertions. */
export interface Seen {
  readonly mutations: string[];
  readonly signals: AbortSignal[];
  openStreams: number;
}

export interface ApiServer {
  readonly url: string;
  readonly port: number;
  readonly server: HttpServer;
  readonly store: Store;
  readonly dataDir: string;
  readonly seen: Seen;
  readonly logLines: string[];
  stop(): Promise<void>;
}

/** One migrated database for all servers of a test file. */
export const openDatabase = (): Promise<Database> => openTestPglite();

export async function startApiServer(
  database: Database,
  overrides: Partial<HttpServerConfig> & { ready?: () => Promise<boolean> } = {},
): Promise<ApiServer> {
  const { ready = async () => true, ...config } = overrides;
  const dataDir = mkdtempSync(join(tmpdir(), 'im-api-'));
  const store = createStore(database, defaultDeadlines);
  const seen: Seen = { mutations: [], signals: [], openStreams: 0 };
  const logLines: string[] = [];
  const server = createHttpServer({
    config: {
      ...parseConfig(testSettings),
      ...{ dataDir, adminToken, limits: { ...defaultLimits, operationsPerSocket: 5 } },
      ...config,
    },
    store,
    schema: testSchema(seen),
    createContext: (viewer, request): TestContext => ({ viewer, request }),
    log: pino({ level: 'debug' }, { write: (line) => logLines.push(line) }),
    version: '0.0.0-test',
    ready,
  });
  const { url, port } = await server.start();
  return {
    ...{ url, port, server, store, dataDir, seen, logLines },
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const typeDefs = /* GraphQL */ `
  enum Color { RED GREEN }
  type Query {
    hello: String
    name: String
    transport: String
    color(color: Color!): Color
    number(value: Int!): Int
    boom: String
    refused: String
    node: Node
    nodes(ids: [ID!]!): [Node!]
    list(first: Int, last: Int): NodeConnection
  }
  type Node { id: ID!, child: Node, list(first: Int): NodeConnection }
  type NodeConnection { nodes: [Node!]! }
  type Instance { id: ID!, host: Node }
  type RuntimeReportAccepted { instance: Instance! }
  type Mutation { touch(name: String!): String, reportRuntime: RuntimeReportAccepted }
  type Tick { cursor: String!, number: Int! }
  type Subscription {
    ticks(count: Int!, after: String): Tick!
    fails(after: Int!): Tick!
    waits: Tick!
    runtimeCommands: Tick!
  }
`;

const tick = (number: number) => ({ cursor: `c${number}`, number });

function testSchema(seen: Seen) {
  const waiting = (context: TestContext) => {
    seen.openStreams += 1;
    seen.signals.push(context.request.signal);
    let wake: (ended: IteratorResult<never>) => void = () => {};
    const iterator: AsyncIterableIterator<never> = {
      next: () => new Promise((resolve) => (wake = resolve)),
      return: async () => {
        seen.openStreams -= 1;
        wake({ done: true, value: undefined });
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  };
  const node = { id: '1', child: () => node, list: { nodes: () => [node] } };
  return createSchema<TestContext>({
    typeDefs,
    resolvers: {
      Query: {
        hello: () => 'world',
        name: (_root, _args, { viewer }) => `${viewer.kind} ${viewer.name}`,
        transport: (_root, _args, { request }) => request.transport,
        color: (_root, { color }) => color,
        number: (_root, { value }) => value,
        boom: () => {
          throw new Error('password=hunter2 \u009b31m');
        },
        refused: () => {
          throw new GraphQLError('The cursor is too old.', {
            extensions: { code: 'CURSOR_EXPIRED', oldestCursor: 'c7' },
          });
        },
        node: () => node,
        nodes: () => [node],
        list: () => ({ nodes: [node] }),
      },
      Mutation: {
        touch: (_root, { name }) => {
          seen.mutations.push(name);
          return name;
        },
        reportRuntime: () => ({ instance: { id: 'i', host: node } }),
      },
      Subscription: {
        ticks: {
          async *subscribe(_root, { count, after }, { request }) {
            const from = request.lastEventId ?? after ?? 'c0';
            for (let n = Number(from.slice(1)) + 1; n <= count; n += 1) yield tick(n);
          },
          resolve: (event: unknown) => event,
        },
        fails: {
          async *subscribe(_root, { after }) {
            for (let n = 1; n <= after; n += 1) yield tick(n);
            throw new Error('the secret of the stream');
          },
          resolve: (event: unknown) => event,
        },
        waits: { subscribe: (_root, _args, context) => waiting(context) },
        runtimeCommands: { subscribe: (_root, _args, context) => waiting(context) },
      },
    },
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a server answers, read by assertions
  readonly json: any;
}

/** One HTTP request, with any header: fetch would not send Host, Origin or Sec-Fetch-Site. */
export function send(
  api: Pick<ApiServer, 'port'>,
  path: string,
  options: RequestOptions & { body?: string | Buffer } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: api.port, path, ...rest }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          get json() {
            return JSON.parse(text);
          },
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** One GraphQL operation by POST, as the administrator unless `headers` say otherwise. */
export function post(
  api: Pick<ApiServer, 'port'>,
  query: string,
  options: { variables?: object; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return send(api, '/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(options.headers ?? { authorization: `Bearer ${adminToken}` }),
    },
    body: JSON.stringify({ query, variables: options.variables }),
  });
}

/** Signs in as a browser does; returns the cookie. */
export async function signIn(api: ApiServer): Promise<string> {
  const { url } = await api.server.createSignInLink();
  const code = new URLSearchParams(new URL(url).hash.slice(1)).get('code');
  const { headers } = await send(api, '/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${api.port}` },
    body: JSON.stringify({ code }),
  });
  return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

/** A run that is going on, by the shortest way: its instance is none of these tests' business. */
export async function anyRun(
  database: Database,
): Promise<{ organizationId: string; runId: string; instanceId: string }> {
  await database.query("set session_replication_role = 'replica'");
  const [row] = await database.query<{
    organizationId: string;
    runId: string;
    instanceId: string;
  }>(
    `insert into runs (id, organization_id, instance_id, started_at)
     select gen_random_uuid(), id, gen_random_uuid(), clock_timestamp() from organizations
     returning organization_id as "organizationId", id as "runId", instance_id as "instanceId"`,
  );
  await database.query("set session_replication_role = 'origin'");
  return row!;
}
