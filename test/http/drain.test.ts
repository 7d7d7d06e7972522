/** The close of an HTTP server, with TLS and without, is bounded whatever its clients do. */
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { readBody } from '../../src/http/body.ts';
import { createDrain } from '../../src/http/drain.ts';
import { makeCertificate } from '../harness/certificate.ts';

const never = 3_600_000;

/** A server that answers with what became of a body. */
async function start(server: Server, limits = { bodyMilliseconds: 50, answerMilliseconds: 50 }) {
  const drain = createDrain(server, limits);
  let begun = 0;
  const waiting = new Set<() => void>();
  server.on('request', async (request, response) => {
    begun += 1;
    for (const check of waiting) check();
    if (request.url === '/never') return;
    const body = await readBody(request, response, { maxBytes: 100, drain });
    response.end('refusal' in body ? body.refusal : `whole:${body.bytes}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    drain,
    port,
    begun: (count: number) =>
      new Promise<void>((resolve) => {
        const check = () => begun >= count && resolve();
        waiting.add(check);
        check();
      }),
  };
}

function client(socket: Socket, text = '') {
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  if (text) socket.write(text);
  return new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
}

const half = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345';

test('a stalled body is refused, a request without an answer is cut', async () => {
  const { drain, port, begun } = await start(createServer());
  const stalled = client(connect(port, '127.0.0.1'), half);
  const unanswered = client(connect(port, '127.0.0.1'), 'GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
  await begun(2);
  await drain.close();
  expect(await stalled).toContain('closing');
  expect(await unanswered).toBe('');
});

test('a body that comes whole while the server closes is taken', async () => {
  const limits = { bodyMilliseconds: never, answerMilliseconds: never };
  const { drain, port, begun } = await start(createServer(), limits);
  const socket = connect(port, '127.0.0.1');
  const answer = client(socket, half);
  await begun(1);
  const closed = drain.close();
  socket.write('67890');
  await closed;
  expect(await answer).toContain('whole:1234567890');
});

test('a hurry ends the time for bodies', async () => {
  const limits = { bodyMilliseconds: never, answerMilliseconds: 50 };
  const { drain, port, begun } = await start(createServer(), limits);
  const stalled = client(connect(port, '127.0.0.1'), half);
  await begun(1);
  const hurry = new AbortController();
  const closed = drain.close(hurry.signal);
  hurry.abort();
  await closed;
  expect(await stalled).toContain('closing');
});

test('a connection that never finishes its TLS handshake is cut; one with TLS is answered', async () => {
  const pem = makeCertificate();
  const { drain, port, begun } = await start(createSecureServer({ cert: pem, key: pem }));
  const silent = connect(port, '127.0.0.1');
  const silence = client(silent);
  await new Promise((resolve) => silent.once('connect', resolve));
  const stalled = client(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), half);
  await begun(1);
  await drain.close();
  expect(await silence).toBe('');
  expect(await stalled).toContain('closing');
});

test('too many bytes are refused, announced or not', async () => {
  const { drain, port } = await start(createServer());
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';
  const announced = client(connect(port, '127.0.0.1'), `${post}Content-Length: 101\r\n\r\n`);
  expect(await announced).toContain('tooLarge');
  const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`;
  expect(await client(connect(port, '127.0.0.1'), chunked)).toContain('tooLarge');
  await drain.close();
});
