/** The Unix socket of the API for runtimes in containers. */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket from 'ws';
import {
  openRunSocket,
  removeRunSocketFolder,
  runSocketFolder,
} from '../../src/server/transport/run-socket.ts';
import { createRunKey } from '../../src/store/access-keys.ts';
import { openFleet } from './fleet.ts';
import { type Run, startServer } from './runtime-link.ts';

/** What connection_init with this token is answered with: the acknowledgement, or the close. */
function init(path: string, token: string): Promise<string> {
  const socket = new WebSocket(`ws+unix:${path}:/graphql`, 'graphql-transport-ws');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () =>
      socket.send(
        JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
      ),
    );
    socket.once('message', (data) => {
      resolve(JSON.parse(String(data)).type);
      socket.close();
    });
    socket.once('close', (code, reason) => resolve(`${code} ${reason}`));
  });
}

function get(socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once('error', reject);
    asked.end();
  });
}

test('serves the keys of runs, and nothing else', async () => {
  const fleet = await openFleet('POSTGRES');
  onTestFinished(() => fleet.close());
  await fleet.command('deployInstance', { instance: 'greenhouse-1' });
  await fleet.until('greenhouse-1', 'RUNNING');
  const [run] = await fleet.store.database.query<Run & Record<string, unknown>>(
    `select organization_id as "organizationId", id as "instanceId", run_id as "runId"
       from instances where key = 'greenhouse-1'`,
  );
  if (!run) throw new Error('greenhouse-1 has no run');
  const server = await startServer(fleet);
  const folder = runSocketFolder(server.dataDir);
  const path = join(folder, 'api.sock');
  expect(statSync(folder).mode & 0o777).toBe(0o755);
  expect(statSync(path).mode & 0o777).toBe(0o666);
  expect(await init(path, 'a'.repeat(40))).toMatch(/^4403 FORBIDDEN: .*keys of runs alone/);
  expect(await init(path, 'none')).toMatch(/^4403 UNAUTHENTICATED/);
  expect(await init(path, (await createRunKey(fleet.store, run)).key)).toBe('connection_ack');
  for (const other of ['/', '/graphql', '/metrics', '/healthz', '/session'])
    expect(await get(path, other)).toBe(404);
  await server.stop();
  expect(readdirSync(folder)).toEqual([]);
});

test('a server that starts again takes the name over, and leaves the socket of another alone', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'im-sockets-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  const deep = join(parent, 'deep'.repeat(30));
  mkdirSync(deep);
  expect(runSocketFolder(deep).length).toBeLessThanOrEqual(85);
  const folder = runSocketFolder(parent);
  const ignore = () => undefined;
  const endFirst = await openRunSocket(folder, ignore);
  const endSecond = await openRunSocket(folder, ignore);
  endFirst();
  expect(await get(join(folder, 'api.sock'), '/')).toBe(404);
  endSecond();
  expect(readdirSync(folder)).toEqual([]);
});

test('in the temporary folder of the system: not where others may write, and nothing is left', async () => {
  const dataDir = join(tmpdir(), 'd'.repeat(100));
  const folder = runSocketFolder(dataDir);
  const parent = join(folder, '..');
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  mkdirSync(parent);
  chmodSync(parent, 0o777);
  await expect(openRunSocket(folder, () => {})).rejects.toThrow(
    /others may write there: remove it/,
  );
  chmodSync(parent, 0o700);
  (await openRunSocket(folder, () => {}))();
  removeRunSocketFolder(dataDir);
  expect(statSync(parent, { throwIfNoEntry: false })).toBeUndefined();
});
