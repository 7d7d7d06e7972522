/** Callers who are not who they say, and bytes that are not what they should be. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Answer } from './answers.ts';
import { createClient } from './client.ts';
import { type Server, startServer } from './server.ts';
import { openSocket, type Socket } from './socket.ts';

let server: Server;
/** Opened before all else and used to the end. */
let socket: Socket;

beforeAll(async () => {
  server = await startServer();
  socket = await openSocket(server);
});

afterAll(async () => {
  socket?.close();
  await server?.dispose();
});

const document = JSON.stringify({ query: '{ viewer { name } }' });
const json = { 'content-type': 'application/json', accept: 'application/json' };
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Sends a request with headers that fetch would not let through. */
function raw(
  headers: Record<string, string>,
  { method = 'POST', body = document, path = '/graphql' } = {},
): Promise<{ status: number; answer: Answer<object> | string; headers: object }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(`${server.url}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const isJson = response.headers['content-type']?.includes('json');
        const answer = isJson ? (JSON.parse(text) as Answer<object>) : text;
        resolve({ status: response.statusCode ?? 0, answer, headers: response.headers });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
const code = (answer: Answer<object> | string) =>
  typeof answer === 'string' ? answer : answer.errors?.[0]?.extensions?.code;

test('a wrong token and none', async () => {
  for (const headers of [bearer('x'.repeat(40)), { authorization: 'Basic eDp5' }, {}]) {
    const { status, answer } = await raw({ ...json, ...headers });
    expect({ status, code: code(answer) }).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    expect(JSON.stringify(answer)).not.toContain(server.token);
  }
  for (const path of ['/schema.graphql', '/graphql?query={viewer{name}}']) {
    expect((await raw({}, { method: 'GET', path, body: '' })).status, path).toBe(401);
  }
  expect((await raw({}, { method: 'GET', path: '/healthz', body: '' })).status).toBe(200);
});
test('a wrong token over WebSocket', async () => {
  await expect(openSocket({ url: server.url, token: 'y'.repeat(40) })).rejects.toThrow(/44\d\d/);
});
test('a foreign Origin', async () => {
  const foreign = { origin: 'https://evil.example' };
  const { headers } = await raw({ ...json, ...bearer(server.token), ...foreign });
  expect(headers).not.toHaveProperty('access-control-allow-origin');
  const cookie = { cookie: `instance-manager-${new URL(server.url).port}=abc` };
  const { status } = await raw({ ...json, ...cookie, ...foreign });
  expect([401, 403]).toContain(status);
  const page = new WebSocket(`${server.url.replace('http', 'ws')}/graphql`, {
    ...{ protocol: 'graphql-transport-ws', origin: foreign.origin, headers: cookie },
  });
  page.on('open', () => page.send(JSON.stringify({ type: 'connection_init' })));
  const [end] = await Promise.race([
    once(page, 'close'),
    new Promise<unknown[]>((resolve) => page.once('error', (error) => resolve([error]))),
  ]);
  expect(String(end)).toMatch(/44\d\d|40[13]/);
  page.terminate();
});
test('a wrong Host', async () => {
  const { status } = await raw({ ...json, ...bearer(server.token), host: 'evil.example' });
  expect([403, 421]).toContain(status);
});
test('another media type, a GET that writes, a batch', async () => {
  const form = { ...bearer(server.token), 'content-type': 'text/plain' };
  expect((await raw(form)).status).toBeGreaterThanOrEqual(400);
  const path = `/graphql?query=${encodeURIComponent('mutation { deployInstance(input: { instance: "greenhouse-1" }) { __typename } }')}`;
  const got = await raw({ ...json, ...bearer(server.token) }, { method: 'GET', path, body: '' });
  expect(code(got.answer)).toBe('METHOD_NOT_ALLOWED');
  const batch = await raw({ ...json, ...bearer(server.token) }, { body: `[${document}]` });
  expect(batch.status).toBe(400);
});
test('a query of 20 MB', async () => {
  const body = JSON.stringify({ query: `{ viewer { name } } #${'x'.repeat(20 * 1024 * 1024)}` });
  const refused = await raw({ ...json, ...bearer(server.token) }, { body }).then(
    ({ status }) => String(status),
    (error: NodeJS.ErrnoException) => error.code,
  );
  expect(refused).toMatch(/413|EPIPE|ECONNRESET/);
});
test('frames that are broken or too large close their own socket alone', async () => {
  const broken = await openSocket(server);
  broken.writeRaw(Buffer.from([0xff, 0xff, 0x00, 0x13, 0x37]));
  expect(await broken.closed).toBe(1002);
  const large = await openSocket(server);
  large.send(`"${'x'.repeat(2 * 1024 * 1024)}"`);
  expect(await large.closed).toBe(1009);
  const noJson = await openSocket(server);
  noJson.send('{{{');
  expect(await noJson.closed).toBe(4400);
});

test('after all that server and socket are alive, and nothing is written', async () => {
  expect(server.isUp).toBe(true);
  expect(await socket.run('{ viewer { name } }')).toMatchObject({ data: { viewer: {} } });
  const { instances } = await createClient(server).fleet();
  expect(instances.map(({ sequence }) => sequence)).toEqual([0]);
  expect(server.output()).not.toContain(server.token);
});
