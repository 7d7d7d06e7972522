/** GraphQL over HTTP and Server-Sent Events: doors, limits, errors. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadExampleOperations } from '../../schema/load.ts';
import { createRunKey } from '../../src/store/access-keys.ts';
import type { Database } from '../../src/store/database/database.ts';
import { until } from '../harness/eventually.ts';
import {
  type ApiServer,
  adminToken,
  anyRun,
  openDatabase,
  post,
  send,
  signIn,
  startApiServer,
} from './api-server.ts';

const bearer = { authorization: `Bearer ${adminToken}` };
let database: Database;
let api: ApiServer;

beforeAll(async () => {
  database = await openDatabase();
  api = await startApiServer(database);
});
afterAll(async () => {
  await api.stop();
  await database.close();
});

const codeOf = (answer: { json: { errors: { extensions: { code: string } }[] } }) =>
  answer.json.errors[0]?.extensions.code;

describe('requests', () => {
  test('POST and GET answer queries', async () => {
    const answer = await post(api, '{ hello name transport }');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      data: { hello: 'world', name: 'ADMIN admin', transport: 'HTTP' },
    });
    expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    const query = encodeURIComponent('query A($n: Int!) { number(value: $n) } query B { hello }');
    const variables = encodeURIComponent('{"n":3}');
    const got = await send(api, `/graphql?query=${query}&variables=${variables}&operationName=A`, {
      headers: bearer,
    });
    expect(got.json).toEqual({ data: { number: 3 } });
  });

  test.each([
    'Application/JSON',
    'application/json ; charset="utf-8"',
    'application/json;charset=UTF-8',
  ])('Content-Type: %s is taken', async (type) => {
    const headers = { ...bearer, 'content-type': type, accept: 'Application/JSON' };
    const body = JSON.stringify({ query: '{ hello }' });
    const answer = await send(api, '/graphql', { method: 'POST', headers, body });
    expect([answer.status, answer.json]).toEqual([200, { data: { hello: 'world' } }]);
  });

  test('another charset or encoding is 415, a body that is not UTF-8 is 400; nothing is done', async () => {
    const text = JSON.stringify({ query: 'mutation { touch(name: "caf\u00e9 of bytes") }' });
    const refusalOf = async (body: Buffer | string, headers: Record<string, string>) => {
      const all = { ...bearer, 'content-type': 'application/json', ...headers };
      const answer = await send(api, '/graphql', { method: 'POST', headers: all, body });
      return [answer.status, codeOf(answer), answer.json.errors[0].message];
    };
    const taken = expect.stringMatching(/application\/json.*UTF-8/);
    for (const [name, value] of [
      ['content-type', 'application/json; charset=iso-8859-1'],
      ['content-encoding', 'gzip'],
    ] as const)
      expect(await refusalOf(text, { [name]: value })).toEqual([
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        taken,
      ]);
    const latin = Buffer.from(text, 'latin1');
    const notUtf8 = expect.stringContaining('UTF-8');
    expect(await refusalOf(latin, {})).toEqual([400, 'BAD_REQUEST', notUtf8]);
    expect(api.seen.mutations.filter((name) => name.endsWith('of bytes'))).toEqual([]);
  });

  test.each(['text/plain', 'application/json;q=0', 'image/*'])(
    'Accept: %s is 406 with what is offered; nothing is done',
    async (accept) => {
      const headers = { ...bearer, 'content-type': 'application/json', accept };
      const body = JSON.stringify({ query: 'mutation { touch(name: "not acceptable") }' });
      const answer = await send(api, '/graphql', { method: 'POST', headers, body });
      expect([answer.status, codeOf(answer)]).toEqual([406, 'NOT_ACCEPTABLE']);
      expect(answer.json.errors[0].message).toContain('application/graphql-response+json');
      expect(api.seen.mutations).not.toContain('not acceptable');
    },
  );

  test('a subscription for who takes JSON alone is told what to accept', async () => {
    const headers = { ...bearer, 'content-type': 'application/json', accept: 'application/json' };
    const body = JSON.stringify({ query: 'subscription { ticks(count: 1) { cursor } }' });
    const answer = await send(api, '/graphql', { method: 'POST', headers, body });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_REQUEST']);
    expect(answer.json.errors[0].message).toContain('text/event-stream');
  });

  test('Expect: 100-Continue has no case', async () => {
    const body = JSON.stringify({ query: '{ hello }' });
    const socket = connect(api.port, '127.0.0.1');
    let received = '';
    socket.on('data', (chunk) => {
      received += String(chunk);
      if (/100 Continue\r\n\r\n$/.test(received)) socket.write(body);
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: localhost:${api.port}\r\nConnection: close\r\n` +
        `Authorization: ${bearer.authorization}\r\nContent-Type: application/json\r\n` +
        `Expect: 100-Continue\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await closed;
    expect(received).toContain('{"data":{"hello":"world"}}');
  });

  test('mutations run by POST alone', async () => {
    const path = `/graphql?query=${encodeURIComponent('mutation { touch(name: "by GET") }')}`;
    const got = await send(api, path, { headers: bearer });
    expect([got.status, codeOf(got)]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(api.seen.mutations).not.toContain('by GET');
    expect((await post(api, 'mutation { touch(name: "by POST") }')).json).toEqual({
      data: { touch: 'by POST' },
    });
  });

  test.each([
    ['application/x-www-form-urlencoded', 'query=%7Bhello%7D'],
    ['multipart/form-data; boundary=x', '--x--'],
    ['text/plain', '{"query":"{hello}"}'],
    ['application/graphql', '{hello}'],
    ['application/jsonp', '{"query":"{hello}"}'],
  ])('a body of %s is refused', async (type, body) => {
    const answer = await send(api, '/graphql', {
      method: 'POST',
      headers: { ...bearer, 'content-type': type },
      body,
    });
    expect([answer.status, codeOf(answer)]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
  });

  test.each([
    ['no JSON', '{'],
    ['an array of operations', '[{"query":"{hello}"}]'],
    ['null', 'null'],
    ['a number', '7'],
    ['nothing', ''],
    ['no query', '{}'],
    ['a query that is no text', '{"query":{}}'],
    ['variables that are no object', '{"query":"{hello}","variables":[1]}'],
    ['an unknown operation', '{"query":"query A { hello }","operationName":"B"}'],
    ['unnamed among many', '{"query":"query A { hello } query B { hello }"}'],
  ])('a body with %s gets a clear answer', async (_what, body) => {
    const answer = await send(api, '/graphql', {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/json' },
      body,
    });
    expect(answer.status).toBe(400);
    expect(answer.json.errors[0].message.length).toBeGreaterThan(10);
    expect(codeOf(answer)).toBe('BAD_REQUEST');
  });

  test('a GET with broken variables gets a clear answer', async () => {
    const answer = await send(api, '/graphql?query=%7Bhello%7D&variables=%7B', {
      headers: bearer,
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_REQUEST']);
  });

  test('other methods and paths are refused, CORS is off', async () => {
    const preflight = await send(api, '/graphql', {
      method: 'OPTIONS',
      headers: { origin: 'http://evil.test', 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(405);
    const answer = await post(api, '{ hello }', {
      headers: { ...bearer, origin: 'http://evil.test' },
    });
    expect(answer.status).toBe(200);
    for (const { headers } of [preflight, answer])
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect((await send(api, '/nothing', { headers: bearer })).status).toBe(404);
    expect((await send(api, '/graphql/x', { headers: bearer })).status).toBe(404);
    expect((await send(api, '/__proto__')).status).toBe(404);
    expect((await send(api, '/healthz', { method: 'DELETE' })).status).toBe(405);
  });

  test('health, readiness, metrics and schema', async () => {
    expect((await send(api, '/healthz')).status).toBe(200);
    expect((await send(api, '/healthz', { headers: { host: '10.1.2.3:80' } })).status).toBe(200);
    expect((await send(api, '/readyz')).status).toBe(200);
    const metrics = await send(api, '/metrics');
    expect(metrics.text).toContain('instance_manager_build_info{version="0.0.0-test"');
    expect(metrics.text).toContain('instance_manager_http_requests_total{route="/graphql"');
    expect((await send(api, '/schema.graphql')).status).toBe(401);
    const schema = await send(api, '/schema.graphql', { headers: bearer });
    expect(schema.text).toContain('type Query {');
    const known = { ...bearer, 'if-none-match': String(schema.headers.etag) };
    const same = await send(api, '/schema.graphql', { headers: known });
    expect([same.status, same.text]).toEqual([304, '']);
    for (const encoding of ['br', 'gzip']) {
      const headers = { ...bearer, 'accept-encoding': encoding };
      const answer = await fetch(`${api.url}/schema.graphql`, { headers });
      expect(answer.headers.get('content-encoding')).toBe(encoding);
      expect(await answer.text()).toBe(schema.text);
    }
    const failing = await startApiServer(database, {
      ready: () => Promise.reject(new Error('gone')),
    });
    expect((await send(failing, '/readyz')).status).toBe(503);
    await failing.stop();
  });
});

test('a port that is taken is named, and what to do', async () => {
  await expect(startApiServer(database, { port: api.port })).rejects.toThrow(
    `Another program uses PORT ${api.port} on 127.0.0.1. Stop it, or set PORT to a free port.`,
  );
});

describe('who asks', () => {
  test('nobody is told what to show', async () => {
    const answer = await post(api, '{ hello }', { headers: {} });
    expect([answer.status, codeOf(answer)]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.headers['www-authenticate']).toBe('Bearer');
  });

  test('a wrong token is refused, many are throttled, the right one is never locked out', async () => {
    const fresh = await startApiServer(database);
    const wrong = () =>
      post(fresh, '{ hello }', {
        headers: { authorization: `Bearer ims_${randomBytes(32).toString('base64url')}` },
      });
    const first = await wrong();
    expect([first.status, codeOf(first)]).toEqual([401, 'UNAUTHENTICATED']);
    const more = await Promise.all(Array.from({ length: 12 }, wrong));
    expect(more.map(({ status }) => status)).toContain(429);
    const last = await wrong();
    expect([last.status, codeOf(last), last.headers['retry-after']]).toEqual([
      429,
      'RATE_LIMITED',
      '60',
    ]);
    expect((await post(fresh, '{ hello }')).status).toBe(200);
    await fresh.stop();
  });

  test.each(['Basic abc', 'Bearer', `Bearer ${adminToken}x`, `bearer ${adminToken} x`])(
    '%s is no token',
    async (authorization) => {
      expect((await post(api, '{ hello }', { headers: { authorization } })).status).not.toBe(200);
    },
  );

  test('a name that is not ours is refused', async () => {
    for (const host of ['evil.test', `evil.test:${api.port}`, 'localhost.evil.test', 'a b'])
      expect((await post(api, '{ hello }', { headers: { ...bearer, host } })).status).toBe(421);
    for (const host of ['localhost', `LOCALHOST:${api.port}`, '127.0.0.1:1', '[::1]:80'])
      expect((await post(api, '{ hello }', { headers: { ...bearer, host } })).status).toBe(200);
    const named = await startApiServer(database, {
      allowedHosts: ['api.test'],
      publicUrl: 'https://public.test',
    });
    for (const host of ['api.test', 'public.test', 'Public.test:443'])
      expect((await post(named, '{ hello }', { headers: { ...bearer, host } })).status).toBe(200);
    const exposed = await send(named, '/metrics');
    expect(exposed.status).toBe(401);
    expect((await send(named, '/metrics', { headers: bearer })).status).toBe(200);
    await named.stop();
  });

  test('a session serves pages of this server alone', async () => {
    const cookie = await signIn(api);
    const own = `http://127.0.0.1:${api.port}`;
    const status = async (headers: Record<string, string>) =>
      (await post(api, '{ hello }', { headers: { cookie, ...headers } })).status;
    expect(await status({ origin: own })).toBe(200);
    expect(await status({ 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(await status({})).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: `http://127.0.0.1:${api.port + 1}` })).toBe(403);
    expect(await status({ origin: `https://127.0.0.1:${api.port}` })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'same-site' })).toBe(403);
    expect(await status({ 'sec-fetch-site': 'none' })).toBe(403);
    expect(await status({ origin: own, host: `localhost:${api.port}` })).toBe(403);
    const got = await send(api, '/graphql?query=%7Bname%7D', {
      headers: { cookie, 'sec-fetch-site': 'cross-site', accept: 'text/event-stream' },
    });
    expect(got.status).toBe(403);
    expect(await status({ origin: own, authorization: 'Bearer wrong' })).toBe(401);
  });
});

describe('too much', () => {
  /** A document so many levels deep. */
  const nested = (levels: number) =>
    `{ node ${'{ child '.repeat(levels - 2)}{ id${' }'.repeat(levels)}`;

  test('20 MB are refused without being read into memory', async () => {
    const before = process.memoryUsage().rss;
    const body = Buffer.alloc(20 * 1024 * 1024, 'a');
    const answer = await send(api, '/graphql', {
      method: 'POST',
      headers: {
        ...bearer,
        'content-type': 'application/json',
        'content-length': String(body.length),
        expect: '100-continue',
      },
      body,
    });
    expect([answer.status, codeOf(answer)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    const chunked = await send(api, '/graphql', {
      method: 'POST',
      headers: {
        ...bearer,
        'content-type': 'application/json',
        'transfer-encoding': 'chunked',
      },
      body,
    });
    expect([chunked.status, codeOf(chunked)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
    expect((await post(api, '{ hello }')).status).toBe(200);
  });

  test.each([
    [
      '10,000 aliases',
      `{ ${Array.from({ length: 10_000 }, (_, n) => `a${n}: hello`).join(' ')} }`,
      /tokens/,
    ],
    [
      '101 aliases',
      `{ ${Array.from({ length: 101 }, (_, n) => `a${n}: hello`).join(' ')} }`,
      /101 aliases/,
    ],
    ['a depth of 50', nested(50), /50 levels/],
    [
      'pages in pages',
      '{ list(first: 200) { nodes { list(first: 200) { nodes { list { nodes { id } } } } } } }',
      /cost/,
    ],
    [
      'pages in pages by a variable and fragments',
      'query ($n: Int = 200) { list(first: $n) { nodes { ...A } } } fragment A on Node { list(first: $n) { nodes { ...B } } } fragment B on Node { a: id child { id } list { nodes { id } } }',
      /cost/,
    ],
    [
      'fragments that double',
      `{ node { ...F0 } } ${Array.from({ length: 60 }, (_, n) => `fragment F${n} on Node { ...F${n + 1} ...F${n + 1} }`).join(' ')} fragment F60 on Node { id }`,
      /cost/,
    ],
    [
      '11 mutations',
      `mutation { ...M ${Array.from({ length: 8 }, (_, n) => `a${n}: touch(name: "x")`).join(' ')} } fragment M on Mutation { x: touch(name: "x") y: touch(name: "x") z: touch(name: "x") }`,
      /11 mutations/,
    ],
  ])('%s', async (_what, query, message) => {
    const mutations = api.seen.mutations.length;
    const answer = await post(api, query);
    expect(codeOf(answer)).toBe('QUERY_TOO_COMPLEX');
    expect(answer.json.errors[0].message).toMatch(message);
    expect(answer.json.data).toBeUndefined();
    expect(api.seen.mutations.length).toBe(mutations);
  });

  test('fragment cycles, repeated fields and circular introspection end soon', async () => {
    const began = performance.now();
    const cycle = await post(api, '{ node { ...A } } fragment A on Node { child { ...A } }');
    expect(codeOf(cycle)).toBe('GRAPHQL_VALIDATION_FAILED');
    await post(api, `{ ${'hello '.repeat(3900)} }`);
    const circular = `{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`;
    expect(codeOf(await post(api, circular))).toBe('GRAPHQL_VALIDATION_FAILED');
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test('GraphiQL may introspect, and the examples are not too much', async () => {
    const query = getIntrospectionQuery({
      schemaDescription: true,
      inputValueDeprecation: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      oneOf: true,
    });
    expect((await post(api, query)).json.errors).toBeUndefined();
    for (const { document } of loadExampleOperations()) {
      const answer = await post(api, document.replace(/\n(query|subscription) (?!.*\n)/g, '\n'));
      expect(JSON.stringify(answer.json)).not.toContain('QUERY_TOO_COMPLEX');
    }
    expect((await post(api, nested(10))).json.errors).toBeUndefined();
  });
});

describe('errors', () => {
  test.each([
    ['{ hello', 'GRAPHQL_PARSE_FAILED'],
    ['{ nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['{ color(color: BLUE) }', 'GRAPHQL_VALIDATION_FAILED'],
  ])('%s', async (query, code) => {
    const answer = await post(api, query);
    expect(codeOf(answer)).toBe(code);
    const strict = await post(api, query, {
      headers: { ...bearer, accept: 'application/graphql-response+json' },
    });
    expect(strict.status).toBe(400);
    expect(strict.text).not.toContain('"http"');
  });

  test('an unknown enum value in a variable', async () => {
    const answer = await post(api, 'query ($c: Color!) { color(color: $c) }', {
      variables: { c: 'BLUE' },
    });
    expect(codeOf(answer)).toBe('BAD_USER_INPUT');
    expect(answer.json.errors[0].message).toContain('BLUE');
  });

  test('expected ones pass, the others are masked and logged under their request', async () => {
    const { json, headers } = await post(api, '{ hello boom refused }');
    expect(json.data).toEqual({ hello: 'world', boom: null, refused: null });
    const [boom, refused] = json.errors;
    expect(refused.extensions).toEqual({ code: 'CURSOR_EXPIRED', oldestCursor: 'c7' });
    expect(boom.extensions).toEqual({ code: 'INTERNAL', requestId: headers['x-request-id'] });
    expect(JSON.stringify(json)).not.toContain('hunter2');
    const line = api.logLines.find((each) => each.includes(headers['x-request-id'] as string));
    expect(line).toContain('hunter2 \\\\u009b31m');
    expect(line).toContain('"path":"boom"');
  });

  test('variables and tokens are never logged', async () => {
    await post(api, 'query ($v: Int!) { number(value: $v) boom }', {
      variables: { v: 123454321 },
    });
    await post(api, '{ hello }', { headers: { authorization: 'Bearer not-a-token-5551234' } });
    const log = api.logLines.join('');
    for (const secret of ['123454321', 'not-a-token-5551234', adminToken])
      expect(log).not.toContain(secret);
  });
});

describe('Server-Sent Events', () => {
  const events = (query: string, headers: Record<string, string> = {}) =>
    send(api, `/graphql?query=${encodeURIComponent(query)}`, {
      headers: { ...bearer, accept: 'text/event-stream', ...headers },
    });

  test('carry the cursor as id, end with complete, and resume behind the last id', async () => {
    const query = 'subscription { ticks(count: 3) { number } }';
    const first = await events(query);
    expect(first.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(first.text).toContain(
      'event: next\nid: c2\ndata: {"data":{"ticks":{"number":2}},"extensions":{"cursor":"c2"}}\n\n',
    );
    expect(first.text.endsWith('event: complete\nid: complete\ndata:\n\n')).toBe(true);
    const second = await events(query, { 'last-event-id': 'c2' });
    expect(second.text.match(/"number":\d/g)).toEqual(['"number":3']);
    expect((await events(query, { 'last-event-id': 'complete' })).status).toBe(204);
  });

  test('of a stream that fails end with a masked error and no complete', async () => {
    const { text } = await events('subscription { fails(after: 1) { number } }');
    expect(text).toContain('"number":1');
    expect(text).toContain('"code":"INTERNAL"');
    expect(text).not.toContain('secret');
    expect(text).not.toContain('event: complete');
  });

  test('end at the source when the client goes', async () => {
    const open = api.seen.openStreams;
    const socket = connect(api.port, '127.0.0.1');
    const query = encodeURIComponent('subscription { waits { number } }');
    socket.write(
      `GET /graphql?query=${query} HTTP/1.1\r\nHost: localhost\r\n` +
        `Authorization: Bearer ${adminToken}\r\nAccept: text/event-stream\r\n\r\n`,
    );
    await until('the stream opens', () => api.seen.openStreams === open + 1);
    socket.destroy();
    await until('the stream ends', () => api.seen.openStreams === open);
  });

  test('end without complete when the server stops, so that clients come back', async () => {
    const stopping = await startApiServer(database);
    const query = encodeURIComponent('subscription { waits { number } }');
    const answer = send(stopping, `/graphql?query=${query}`, {
      headers: { ...bearer, accept: 'text/event-stream' },
    });
    await until('the stream opens', () => stopping.seen.openStreams === 1);
    const began = performance.now();
    await stopping.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
    expect((await answer).text).toBe('retry: 1000\n\n');
    expect(stopping.seen.openStreams).toBe(0);
  });

  test('are asked for: a subscription by plain POST is refused', async () => {
    const answer = await post(api, 'subscription { ticks(count: 1) { number } }');
    expect([answer.status, codeOf(answer)]).toEqual([400, 'BAD_REQUEST']);
  });
});

describe('the key of a run', () => {
  test('does what a runtime does, and nothing else', async () => {
    const { key } = await createRunKey(api.store, await anyRun(database));
    const headers = { authorization: `Bearer ${key}` };
    const ask = async (query: string) => (await post(api, query, { headers })).json;
    expect(await ask('mutation { reportRuntime { instance { id __typename } } }')).toEqual({
      data: { reportRuntime: { instance: { id: 'i', __typename: 'Instance' } } },
    });
    for (const query of [
      '{ hello }',
      '{ __schema { types { name } } }',
      '{ __type(name: "Query") { name } }',
      'mutation { touch(name: "by run") }',
      'mutation { reportRuntime { instance { host { id } } } }',
      'mutation { reportRuntime { ...F } } fragment F on RuntimeReportAccepted { instance { host { id } } }',
    ])
      expect((await ask(query)).errors[0].extensions.code).toBe('FORBIDDEN');
    expect((await send(api, '/schema.graphql', { headers })).status).toBe(403);
    await database.query('update runs set ended_at = clock_timestamp()');
    expect((await ask('{ __typename }')).errors[0].extensions.code).toBe('UNAUTHENTICATED');
  });
});
