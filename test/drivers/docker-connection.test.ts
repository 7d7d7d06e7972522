/** The way to an engine: TLS, and engines that no package has, played by a server of the test. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DockerDriver } from '../../src/drivers/docker/driver.ts';
import type { DockerConfiguration } from '../../src/drivers/docker/engine.ts';
import { hasDocker, startDockerEngine } from '../harness/docker-engine.ts';
import { newCall, newHost } from './calls.ts';
import { createFences } from './docker-fences.ts';

function open(configuration: Partial<DockerConfiguration>): DockerDriver {
  const driver = new DockerDriver({
    configuration: {
      ...{ endpoint: '', tls: null, insecure: false, publishAddress: '127.0.0.1' },
      ...configuration,
    },
    ...{ installationId: 'test', fences: createFences(), apiSocket: null },
  });
  onTestFinished(() => driver.close());
  return driver;
}

const refused = (code: string, message: RegExp, retryable = false) => ({
  ...{ code, retryable },
  message: expect.stringMatching(message),
});

test.each([
  ['somewhere', /no address of an engine/],
  ['unix://', /no address of an engine/],
  ['ftp://engine', /no address of an engine/],
])('no address: %s', (endpoint, message) => {
  expect(() => open({ endpoint })).toThrow(message);
});

test('an engine beyond this machine needs TLS, or insecure said aloud', () => {
  const endpoint = 'tcp://192.0.2.7:2375';
  expect(() => open({ endpoint })).toThrow(/insecure: true/);
  open({ endpoint, insecure: true });
  open({ endpoint: 'tcp://127.0.0.1:2375' });
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Plays an engine. */
async function played(answer: Answer): Promise<DockerDriver> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return open({ endpoint: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

const version = { Version: '20.10.24', ApiVersion: '1.41', Os: 'linux', Arch: 'amd64' };
const info = { NCPU: 8, MemTotal: 32 * 1024 ** 3, OSType: 'linux' };

/** An engine whose paths answer this. */
const answering =
  (answers: Record<string, object>): Answer =>
  ({ url = '', method }, response) => {
    const [path = ''] = url.split('?');
    const body = answers[`${method} ${path}`] ?? answers[path] ?? [];
    const status = 'status' in body ? Number(body.status) : 200;
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

test('an engine of another platform, and one that is too old', async () => {
  const windows = await played(
    answering({
      '/version': { ...version, Os: 'windows' },
      '/info': { ...info, OSType: 'windows' },
    }),
  );
  await expect(windows.allocateHost(newHost(), newCall())).rejects.toMatchObject(
    refused('ENGINE_PLATFORM', /windows\/amd64.*runs Linux containers/),
  );
  const old = await played(
    answering({ '/version': { ...version, Version: '19.03', ApiVersion: '1.40' }, '/info': info }),
  );
  await expect(old.allocateHost(newHost(), newCall())).rejects.toMatchObject(
    refused('ENGINE_TOO_OLD', /19\.03.*20\.10/),
  );
});

test.each([
  ['write /var/lib/docker: no space left on device', 'ENGINE_DISK_FULL', /Make room/, true],
  [
    'could not find an available, non-overlapping IPv4 address pool',
    'ENGINE_NETWORKS_FULL',
    /default-address-pools/,
    false,
  ],
  ['network im-1 id 1 has active endpoints', 'NETWORK_STUCK', /Restart the engine/, true],
  ['something new', 'ENGINE_REFUSED', /\(500\): something new.*log of the engine/, true],
])('an engine that cannot: %s', async (message, code, expected, retryable) => {
  const driver = await played(
    answering({
      ...{ '/version': version, '/info': info },
      'POST /networks/create': { status: 500, message },
    }),
  );
  await expect(driver.allocateHost(newHost(), newCall())).rejects.toMatchObject(
    refused(code, expected, retryable),
  );
});

test('an engine that never answers, one that breaks off, and something that is no engine', async () => {
  const silent = await played(() => undefined);
  const call = newCall({ signal: AbortSignal.timeout(200) });
  await expect(silent.inspectEngine(call)).rejects.toMatchObject(
    refused('ABORTED', /being asked/, true),
  );
  const broken = await played(({ socket }) => socket.destroy());
  await expect(broken.inspectEngine(newCall())).rejects.toMatchObject(
    refused('ENGINE_UNREACHABLE', /Look whether it runs/, true),
  );
  const other = await played((_, response) => void response.writeHead(404).end('nothing'));
  await expect(other.inspectEngine(newCall())).rejects.toMatchObject({ code: 'ENGINE_REFUSED' });
});

/** A CA, and what it has signed: a server on 127.0.0.1, and a client. */
function makeCertificates(folder: string): void {
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...ec,
    '-subj',
    '/CN=ca',
    '-days',
    '2',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  for (const [name, extensions] of [
    ['server', 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    writeFileSync(join(folder, 'extensions'), extensions);
    openssl('req', ...ec, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', 'request');
    openssl(
      ...['x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca.key'],
      ...['-CAcreateserial', '-days', '2', '-extfile', 'extensions', '-out', `${name}.pem`],
    );
  }
}

describe.skipIf(!hasDocker)('TLS to a real engine', () => {
  test('a client certificate opens it; without one, or for another CA, it says what is wrong', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'im-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    makeCertificates(folder);
    const port = await freePort();
    const engine = await startDockerEngine([
      ...['-H', `tcp://127.0.0.1:${port}`, '--tlsverify', '--tlscacert', join(folder, 'ca.pem')],
      ...['--tlscert', join(folder, 'server.pem'), '--tlskey', join(folder, 'server.key')],
    ]);
    onTestFinished(() => engine.close());
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    const endpoint = `tcp://127.0.0.1:${port}`;
    const tls = {
      caCertificate: read('ca.pem'),
      clientCertificate: read('client.pem'),
      clientKey: read('client.key'),
    };
    const driver = open({ endpoint, tls });
    expect(await driver.inspectEngine(newCall())).toMatchObject({
      platform: expect.stringMatching(/^linux/),
    });
    const request = newHost();
    const host = await driver.allocateHost(request, newCall());
    expect(await driver.checkHost(host.handle, 'ws://x/', newCall())).toEqual({ answers: true });
    await driver.releaseHost(request.hostId, host.handle, newCall());

    const none = { ...tls, clientCertificate: null, clientKey: null };
    const distrust = refused('ENGINE_TLS', /client certificate/);
    await expect(open({ endpoint, tls: none }).inspectEngine(newCall())).rejects.toMatchObject(
      distrust,
    );
    const foreign = { ...tls, caCertificate: tls.clientCertificate };
    await expect(open({ endpoint, tls: foreign }).inspectEngine(newCall())).rejects.toMatchObject(
      distrust,
    );
  });
});

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
