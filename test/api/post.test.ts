/** The direct answer to a POST beside that of Yoga: one and the same for whatever a client sends. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { GraphQLError } from 'graphql';
import { createSchema } from 'graphql-yoga';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { defaultLimits } from '../../src/api/base/limits.ts';
import type { Viewer } from '../../src/api/base/viewer.ts';
import { createPipeline } from '../../src/server/execution/pipeline.ts';
import type { Requester } from '../../src/server/execution/request.ts';
import { createPostHandler } from '../../src/server/transport/post.ts';
import { createYogaHandler } from '../../src/server/transport/yoga.ts';
import { createAdmission } from '../../src/server/wire/admission.ts';
import { createMetrics } from '../../src/server/wire/metrics.ts';
import { watchSlowConsumers } from '../../src/server/wire/slow-consumers.ts';
import { defaultStreamLimits } from '../../src/server/wire/stream-limits.ts';

const viewer: Viewer = {
  ...{ kind: 'ADMIN', organizationId: randomUUID(), accessKeyId: randomUUID(), name: 'admin' },
};
const log = pino({ level: 'silent' });
const signals: AbortSignal[] = [];

const schema = createSchema<{ request: Requester }>({
  typeDefs: /* GraphQL */ `
    type Query {
      hello(name: String): String
      needed: String!
      boom: String
      boomNeeded: String!
      coded(code: String!, status: Int): String!
      foreign: String!
      waits: String
    }
    type Mutation { touch: String }
    type Subscription { ticks: Int }
  `,
  resolvers: {
    Query: {
      hello: (_source, { name }) => `caf\u00e9 ${name}`,
      needed: () => null,
      boom: () => {
        throw new Error('secret');
      },
      boomNeeded: () => {
        throw new Error('secret');
      },
      coded(_source, { code, status }) {
        const http = status ? { http: { status } } : {};
        throw new GraphQLError('coded', { extensions: { code, ...http } });
      },
      foreign() {
        throw new GraphQLError('foreign', {
          originalError: new Error('secret'),
          extensions: { code: 'FOREIGN' },
        });
      },
      waits: (_source, _args, { request: { signal } }) =>
        new Promise((resolve) => {
          signals.push(signal);
          signal.addEventListener('abort', () => resolve('aborted'));
        }),
    },
    Mutation: { touch: () => 'touched' },
  },
});

let server: Server;
let url: string;
/** Requests that were answered without Yoga. */
let direct = 0;

beforeAll(async () => {
  const admission = createAdmission({ ...defaultLimits, busyPercent: 100 });
  const pipeline = createPipeline({
    ...{ schema, limits: defaultLimits, admission, metrics: createMetrics('test'), log },
    createContext: (_viewer, request) => ({ request }),
  });
  const streamLimits = defaultStreamLimits;
  const slowConsumers = watchSlowConsumers(streamLimits);
  const post = createPostHandler(pipeline);
  const yoga = createYogaHandler({ pipeline, streamLimits, slowConsumers, log });
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const requester: Requester = {
      ...{ viewer, requestId: 'r', transport: 'HTTP', method: 'POST', lastEventId: null },
      signal: new AbortController().signal,
    };
    const accept = request.headers.accept ?? '';
    if (request.url === '/direct' && (await post.handle(response, { accept, body, requester }))) {
      direct += 1;
      return;
    }
    request.url = '/graphql';
    await yoga.handle(request, response, body, requester);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(path: string, accept: string, body: string) {
  const response = await fetch(`${url}${path}`, {
    ...{ method: 'POST', body },
    headers: { accept, 'content-type': 'application/json' },
  });
  const { status, headers } = response;
  const text = (await response.text()).replace(/[0-9a-f-]{36}/g, 'ID');
  return { status, type: headers.get('content-type'), allow: headers.get('allow'), text };
}

const usual = [
  { query: '{ hello(name: "\u00e9\u{1f600}") }' },
  { query: 'query A($name: String) { hello(name: $name) }', variables: { name: 'x' } },
  { query: 'query A { hello } query B { b: hello }', operationName: 'B' },
  { query: 'query A { hello } query B { hello }' },
  { query: 'query A { hello }', operationName: 'C' },
  { query: 'query A { hello }', operationName: '' },
  { query: '{ hello', variables: null, extensions: {}, operationName: null },
  { query: '' },
  { query: '{ none }' },
  { query: 'query A($name: Int!) { hello }', variables: { name: 'x' } },
  { query: '{ boom }' },
  { query: '{ hello boom boomNeeded }' },
  { query: '{ needed }' },
  { query: '{ foreign }' },
  { query: '{ coded(code: "X") }' },
  { query: '{ coded(code: "X", status: 418) }' },
  { query: 'mutation { touch }' },
  { query: 'subscription { ticks }' },
  { query: '{ hello }', extra: null },
].map((body) => JSON.stringify(body));

const unusual = [
  ...['', '{', 'null', '7', '"x"', '[]', '[{"query":"{ hello }"}]', '{}', '{"query":null}'],
  ...['{"query":7}', '{"query":[]}', '{"query":"{ hello }","more":1}'],
  ...['{"query":"{ hello }","variables":[]}', '{"query":"{ hello }","variables":"{}"}'],
  ...['{"query":"{ hello }","extensions":[]}', '{"query":"{ hello }","operationName":7}'],
  '{"query":"{ hello }","__proto__":{"a":1}}',
];

const accepts = [
  ...['', '*/*', 'application/json', 'application/graphql-response+json', 'application/*'],
  ...['application/graphql-response+json, application/json;q=0.9', 'text/html, */*;q=0.1'],
  ...['application/json, application/graphql-response+json', ' APPLICATION/JSON ; charset=utf-8'],
  ...['application/json;charset=latin1', 'application/json;charset=latin1, */*', '*/json'],
  ...['multipart/mixed, application/json', 'application/json;q=0, application/*'],
];

test.each(accepts)('Accept: %s', async (accept) => {
  for (const body of [...usual, ...unusual]) {
    const expected = await answer('/yoga', accept, body);
    expect({ body, ...(await answer('/direct', accept, body)) }).toEqual({ body, ...expected });
  }
});

test('the usual requests need no Yoga', async () => {
  const before = direct;
  for (const body of usual) await answer('/direct', 'application/json', body);
  expect(direct - before).toBe(usual.length);
});

test('the signal of a request is aborted when its client leaves', async () => {
  const leaving = new AbortController();
  const body = JSON.stringify({ query: '{ waits }' });
  const { signal } = leaving;
  const answered = fetch(`${url}/direct`, { method: 'POST', body, signal });
  await vi.waitFor(() => expect(signals).toHaveLength(1));
  expect(signals[0]?.aborted).toBe(false);
  leaving.abort();
  await expect(answered).rejects.toThrow();
  await vi.waitFor(() => expect(signals[0]?.aborted).toBe(true));
});
