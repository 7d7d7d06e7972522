/** The server with a certificate: the API over https and wss, and nothing without TLS. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Database } from '../../src/store/database.ts';
import { adminToken, openDatabase, startWorld, type World } from './transport-world.ts';

const authorization = `Bearer ${adminToken}`;
let folder: string;
let ca: Buffer;
let database: Database;
let world: World;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'im-tls-'));
  const tlsKeyFile = join(folder, 'key.pem');
  const tlsCertFile = join(folder, 'cert.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
      ...['-keyout', tlsKeyFile, '-out', tlsCertFile],
    ],
    { stdio: 'pipe' },
  );
  ca = readFileSync(tlsCertFile);
  database = await openDatabase();
  world = await startWorld(database, { tlsKeyFile, tlsCertFile });
});
afterAll(async () => {
  await world?.stop();
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Posts JSON over https; the certificate is checked. */
function post(path: string, body: unknown, headers: Record<string, string> = { authorization }) {
  return new Promise<{ body: string; cookies: string[] }>((resolve, reject) => {
    request(`${world.url}${path}`, {
      ca,
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
    })
      .on('error', reject)
      .on('response', async (response) => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        resolve({ body: text, cookies: response.headers['set-cookie'] ?? [] });
      })
      .end(JSON.stringify(body));
  });
}

test('a query over https', async () => {
  expect(world.url).toBe(`https://127.0.0.1:${world.port}`);
  expect(JSON.parse((await post('/graphql', { query: '{ hello }' })).body)).toEqual({
    data: { hello: expect.any(String) },
  });
});

test('a subscription over wss', async () => {
  class TrustingWebSocket extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols, { ca });
    }
  }
  const client = createClient({
    url: `${world.url.replace('https', 'wss')}/graphql`,
    webSocketImpl: TrustingWebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  const seen: unknown[] = [];
  for await (const { data } of client.iterate({
    query: 'subscription { ticks(count: 2) { number } }',
  }))
    seen.push(data);
  expect(seen).toEqual([{ ticks: { number: 1 } }, { ticks: { number: 2 } }]);
  await client.dispose();
});

test('a session is a Secure cookie', async () => {
  const { url } = await world.server.createSignInLink();
  expect(url).toMatch(/^https:/);
  const code = new URL(url).hash.slice('#code='.length);
  const { cookies } = await post('/session', { code }, { origin: world.url });
  expect(cookies).toEqual([expect.stringMatching(/; Secure/)]);
});

test('nothing is answered without TLS', async () => {
  await expect(fetch(`http://127.0.0.1:${world.port}/healthz`)).rejects.toThrow();
});
