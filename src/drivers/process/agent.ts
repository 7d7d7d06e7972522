/**
 * The host agent: one process for each host. It answers `/healthz` on the address of the host and
 * the commands of the driver on a Unix socket, and is the parent of the runtimes of the host.
 * Started as `node main.mjs <work folder> <nonce> <process tag>`; it outlives the server that started
 * it.
 *
 * It ends itself and its runtimes on SIGTERM, when the heartbeat file of the server is stale, and when
 * `host.json` names another agent or is gone.
 */
import { rmSync, statSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createControl } from './control.ts';
import { type AgentRecord, type HostRecord, hostFiles, readJson, writeJson } from './files.ts';
import { identityOf } from './identity.ts';
import { RuntimeSupervisor } from './supervisor.ts';

const tickMs = 250;

async function main(folder: string, nonce: string): Promise<void> {
  process.umask(0o077);
  const files = hostFiles(folder);
  const record = readJson<HostRecord>(files.host);
  if (record?.nonce !== nonce) {
    say('another agent has taken this host over; nothing to do');
    return;
  }
  const runtimes = new RuntimeSupervisor({ files, host: record });
  const swept = await runtimes.sweep();
  if (swept > 0) say(`ended ${swept} processes that an earlier agent had left behind`);

  const health = await listenHealth(record);
  const control = createControl({ files, host: record, runtimes });
  let ending = false;
  const end = async (reason: string, isLeftover: boolean): Promise<void> => {
    if (ending) return;
    ending = true;
    say(`ends: ${reason}`);
    clearInterval(timer);
    health.close();
    health.closeAllConnections();
    control.close();
    const gone = await runtimes.endAll({ everythingTagged: !isLeftover });
    if (!isLeftover) rmSync(record.socket, { force: true });
    process.exit(gone ? 0 : 1);
  };

  const isHeartbeatStale = watchHeartbeatFile(record);
  const timer = setInterval(() => {
    const isLeftover = readJson<HostRecord>(files.host)?.nonce !== nonce;
    if (isLeftover) void end('its host was released or has another agent', true);
    else if (isHeartbeatStale())
      void end('the server has not touched its `alive` file for too long', false);
    else runtimes.capOutputs();
  }, tickMs);
  process.on('SIGTERM', () => void end('SIGTERM', false));
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

  if (readJson<HostRecord>(files.host)?.nonce !== nonce) return end('it came too late', true);
  rmSync(record.socket, { force: true });
  await control.listen(record.socket);
  const identity = identityOf(process.pid);
  const address = health.address();
  if (!identity || !address || typeof address === 'string') throw new Error('has no identity');
  writeJson(files.agent, { nonce, identity, healthPort: address.port } satisfies AgentRecord);
  say(`answers on ${record.address}:${address.port}`);
}

async function listenHealth(record: HostRecord): Promise<HttpServer> {
  const server = createHttpServer((request, response) => {
    const found = request.method === 'GET' && request.url === '/healthz';
    response.writeHead(found ? 200 : 404, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      connection: 'close',
    });
    response.end(JSON.stringify(found ? { status: 'ok', host: record.hostId } : {}));
  });
  server.requestTimeout = 5_000;
  server.headersTimeout = 5_000;
  server.maxConnections = 64;
  const listen = (port: number): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: record.address, port }, () => {
        server.off('error', reject);
        resolve();
      });
    });
  try {
    await listen(record.healthPort);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await listen(0);
  }
  return server;
}

/**
 * Reports whether the heartbeat file has been unchanged or missing for too long. Counted by
 * the monotonic clock of this process, in small steps, so that neither a clock that was set nor a
 * suspension of the machine ends anything.
 */
function watchHeartbeatFile(record: HostRecord): () => boolean {
  const { heartbeatFile } = record;
  if (heartbeatFile === null) return () => false;
  let changedAt: number | null = null;
  let stillMs = 0;
  let before = performance.now();
  return () => {
    const now = performance.now();
    stillMs += Math.min(now - before, 2 * tickMs);
    before = now;
    const modifiedAt = statSync(heartbeatFile.file, { throwIfNoEntry: false })?.mtimeMs ?? null;
    if (modifiedAt !== null && modifiedAt !== changedAt) {
      changedAt = modifiedAt;
      stillMs = 0;
    }
    return stillMs >= heartbeatFile.seconds * 1000;
  };
}

const lineOf = (text: string): string => `${new Date().toISOString()} agent ${process.pid} ${text}`;

function say(text: string): void {
  console.log(lineOf(text));
}

const [folder = '', nonce = ''] = process.argv.slice(2);
main(folder, nonce).catch((error: unknown) => {
  console.error(lineOf(`failed: ${error instanceof Error ? error.stack : String(error)}`));
  process.exit(1);
});
