/** The server with a certificate of a private authority: https and wss, runtimes too, nothing without. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import type { Database } from '../../src/store/database/database.ts';
import { eventually } from '../harness/eventually.ts';
import { type ApiServer, adminToken, openDatabase, startApiServer } from './api-server.ts';

const authorization = `Bearer ${adminToken}`;
let folder: string;
let caFile: string;
let tlsCertFile: string;
let tlsKeyFile: string;
let ca: Buffer;
let database: Database;
let api: ApiServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'im-tls-'));
  caFile = join(folder, 'ca.pem');
  tlsKeyFile = join(folder, 'key.pem');
  tlsCertFile = join(folder, 'cert.pem');
  makeCertificates();
  ca = readFileSync(caFile);
  database = await openDatabase();
  api = await startApiServer(database, { tlsKeyFile, tlsCertFile });
});
afterAll(async () => {
  await api?.stop();
  await database?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** An authority, and a certificate of it for 127.0.0.1; both are in the chain that the server sends. */
function makeCertificates(): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const [caKey, request, names] = ['ca.key', 'request.pem', 'names'].map((it) => join(folder, it));
  openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=An authority of our own', '-days', '2'],
    ...['-keyout', `${caKey}`, '-out', caFile],
  );
  openssl(
    ...['req', '-new', ...newKey, '-subj', '/CN=localhost'],
    ...['-keyout', tlsKeyFile, '-out', `${request}`],
  );
  writeFileSync(`${names}`, 'subjectAltName=IP:127.0.0.1');
  openssl(
    ...['x509', '-req', '-in', `${request}`, '-CA', caFile, '-CAkey', `${caKey}`],
    ...['-CAcreateserial', '-days', '2', '-extfile', `${names}`, '-out', tlsCertFile],
  );
  writeFileSync(tlsCertFile, readFileSync(caFile), { flag: 'a' });
}

/** Posts JSON over https; the certificate is checked. */
function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = { authorization },
  { url } = api as { url: string },
) {
  return new Promise<{ body: string; cookies: string[] }>((resolve, reject) => {
    request(`${url}${path}`, {
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
  expect(api.url).toBe(`https://127.0.0.1:${api.port}`);
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
    url: `${api.url.replace('https', 'wss')}/graphql`,
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
  const { url } = await api.server.createSignInLink();
  expect(url).toMatch(/^https:/);
  const code = new URL(url).hash.slice('#code='.length);
  const { cookies } = await post('/session', { code }, { origin: api.url });
  expect(cookies).toEqual([expect.stringMatching(/; Secure/)]);
});

test('nothing is answered without TLS', async () => {
  await expect(fetch(`http://127.0.0.1:${api.port}/healthz`)).rejects.toThrow();
});

test('a runtime trusts the authority of NODE_EXTRA_CA_CERTS, and says why it cannot connect', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'im-tls-app-'));
  const start = (environment: Record<string, string>) =>
    createApp(
      parseConfig({
        ...{ PORT: '0', DNS_PORT: '0', DATA_DIR: dataDir, ADMIN_TOKEN: adminToken },
        ...{ SAMPLE_DATA: 'on', SETTLE_SECONDS: '0', HEARTBEAT_SECONDS: '1' },
        ...{ TLS_CERT_FILE: tlsCertFile, TLS_KEY_FILE: tlsKeyFile, ...environment },
      }),
      pino({ level: 'silent' }),
    );
  await expect(start({ NODE_EXTRA_CA_CERTS: tlsKeyFile })).rejects.toThrow(
    `NODE_EXTRA_CA_CERTS takes a PEM file of certificates; ${tlsKeyFile} cannot be read as one.`,
  );
  let app = await start({ INSTANCE_STARTING_RUNTIME_DEADLINE_SECONDS: '3' });
  const ask = async (query: string) =>
    JSON.parse((await post('/graphql', { query }, undefined, app)).body);
  const command = (field: string) =>
    ask(`mutation { ${field}(input: { instance: "greenhouse-1" }) { __typename } }`);
  const instance = async () =>
    (await ask('{ instance(instance: "greenhouse-1") { state failure { message logTail } } }')).data
      .instance;
  const until = (state: string) =>
    eventually(async () => expect(await instance()).toMatchObject({ state }));
  try {
    await command('deployInstance');
    await until('FAILED_TO_INITIALIZE');
    const { failure } = await instance();
    expect(failure.message).toContain('self-signed certificate in certificate chain');
    expect(failure.logTail).toContain('self-signed certificate in certificate chain');
    await app.stop();

    const mixedFile = join(dataDir, 'mixed.pem');
    writeFileSync(mixedFile, readFileSync(tlsKeyFile, 'utf8') + readFileSync(caFile, 'utf8'));
    app = await start({ NODE_EXTRA_CA_CERTS: mixedFile });
    await command('restartInstance');
    await until('RUNNING');
    // What else is in the file is nobody's business but the server's.
    const hosts = join(dataDir, 'hosts');
    const [copy] = readdirSync(hosts, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('authorities.pem'),
    );
    expect(readFileSync(join(hosts, copy ?? ''), 'utf8')).toBe(readFileSync(caFile, 'utf8'));
  } finally {
    await ask(
      'mutation { removeHost(input: { host: "greenhouse-1-host", force: true }) { __typename } }',
    );
    await eventually(() => expect(readdirSync(join(dataDir, 'hosts'))).toEqual([]));
    await app.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
