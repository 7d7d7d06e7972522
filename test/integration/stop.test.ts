/** SIGTERM ends the whole program in time, whatever its clients do, over HTTP and over TLS. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import { makeCertificate } from '../harness/certificate.ts';
import { createClient } from './client.ts';
import { type Server, startServer } from './server.ts';

const timeout = 240_000;

const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
});

interface Connection {
  readonly socket: Socket;
  /** Everything that was received, once it is closed. */
  readonly closed: Promise<string>;
  /** Resolves when this text has been received. */
  received(text: string): Promise<void>;
}

/** Opens a connection; with TLS where the server has it, unless it is to be raw. */
async function open({ url }: Server, isRaw = false): Promise<Connection> {
  const { protocol, port } = new URL(url);
  const isSecure = protocol === 'https:' && !isRaw;
  const to = { port: Number(port), host: '127.0.0.1' };
  const socket = isSecure ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
  sockets.push(socket);
  let text = '';
  let check = () => {};
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    text += String(chunk);
    check();
  });
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await new Promise((resolve) => socket.once(isSecure ? 'secureConnect' : 'connect', resolve));
  return {
    socket,
    closed,
    received: (wanted) =>
      new Promise((resolve) => {
        check = () => text.includes(wanted) && resolve();
        check();
      }),
  };
}

/** A POST whose headers the server has read, and whose body is not complete. */
async function begin(server: Server, body: string): Promise<Connection> {
  const connection = await open(server);
  connection.socket.write(
    `POST /graphql HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\n` +
      `Authorization: Bearer ${server.token}\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${body.length + 1_000}\r\n\r\n`,
  );
  await connection.received('100 Continue');
  connection.socket.write(body);
  return connection;
}

function upgrade({ url }: Server): string {
  return (
    `GET /graphql HTTP/1.1\r\nHost: ${new URL(url).host}\r\nConnection: Upgrade\r\n` +
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n'
  );
}

const mutation = JSON.stringify({
  query: 'mutation { createHost(input: { key: "stalled", subscription: "trial" }) { __typename } }',
});

/** Opens clients of every kind, stops the server within 10 s, and compares what they got. */
async function stopAmongClients(server: Server): Promise<void> {
  const stalled = await begin(server, mutation);
  const dripping = await begin(server, '{');
  const timer = setInterval(() => dripping.socket.write(' '), 100);
  dripping.socket.once('close', () => clearInterval(timer));
  const cut = [
    await open(server),
    await open(server),
    await open(server),
    await open(server, true),
  ];
  const [silent, halfUpgrade, upgraded, halfHandshake] = cut as [
    Connection,
    Connection,
    Connection,
    Connection,
  ];
  halfUpgrade.socket.write(upgrade(server));
  upgraded.socket.write(`${upgrade(server)}\r\n`);
  await upgraded.received('101 Switching Protocols');
  // The head of a ClientHello: of TLS, not of HTTP.
  halfHandshake.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]));

  await server.stop();
  for (const { closed } of [stalled, dripping]) {
    const answer = (await closed).toLowerCase();
    expect(answer).toContain('http/1.1 503');
    expect(answer).toContain('connection: close');
    expect(answer).toContain('"code":"unavailable"');
  }
  await Promise.all([silent, halfUpgrade, upgraded, halfHandshake].map(({ closed }) => closed));
}

test.concurrent('over HTTP; what was answered 503 was not done', {
  timeout,
}, async ({ onTestFinished }) => {
  const server = await startServer({ environment: { SAMPLE_DATA: 'on' } });
  onTestFinished(() => server.dispose());
  await stopAmongClients(server);
  await server.start();
  const { hosts } = await createClient(server).fleet();
  expect(hosts.map(({ key }) => key)).toEqual(['greenhouse-1-host']);
});

test.concurrent('over TLS', { timeout }, async ({ onTestFinished }) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'im-stop-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const file = join(dataDir, 'server.pem');
  writeFileSync(file, makeCertificate());
  const server = await startServer({
    dataDir,
    environment: { TLS_CERT_FILE: file, TLS_KEY_FILE: file },
  });
  onTestFinished(() => server.kill9());
  expect(server.url).toMatch(/^https:/);
  await stopAmongClients(server);
});
