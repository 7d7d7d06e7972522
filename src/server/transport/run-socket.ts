/**
 * A Unix socket that serves the keys of runs alone, for runtimes in containers on this machine: they
 * mount its folder, so the server itself may stay on a loopback address. A server that starts again
 * makes a new socket of the same name.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';

/** The name of the socket in its folder. */
export const runSocketName = 'api.sock';

/** The path of a socket is limited to 104 (macOS) or 108 bytes. */
const pathBytes = 100;

/**
 * The folder of the socket. It lies in the data folder, otherwise, where that is too deep for a
 * socket, in a folder of this user under the temporary folder of the system.
 */
export function runSocketFolder(dataDir: string): string {
  const near = join(dataDir, 'api');
  if (Buffer.byteLength(join(near, '0000000000.sock')) <= pathBytes) return near;
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  return join(tmpdir(), `instance-manager-${process.getuid?.() ?? 0}-${hash}`, 'api');
}

/** Removes the folder of a server of which nothing is kept. */
export function removeRunSocketFolder(dataDir: string): void {
  const folder = runSocketFolder(dataDir);
  rmSync(folder, { recursive: true, force: true });
  const parent = join(folder, '..');
  if (parent !== join(dataDir)) rmSync(parent, { recursive: true, force: true });
}

/** In a temporary folder anybody may have made one of this name. */
function refuseOthers(folder: string): void {
  const { uid, mode } = statSync(folder);
  if (uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0) return;
  throw new Error(`${folder} belongs to somebody else, or others may write there: remove it.`);
}

const draftOf = (folder: string) => join(folder, `${process.pid}.sock`);

/**
 * Listens in the folder; the returned function ends it. The users of containers are not ours, so the
 * socket is open to all who reach the folder, whose parent is open to us alone.
 */
export async function openRunSocket(
  folder: string,
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<() => void> {
  const parent = join(folder, '..');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  if (parent.startsWith(join(tmpdir(), 'instance-manager-'))) refuseOthers(parent);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  chmodSync(folder, 0o755); // Whatever the umask is.
  const server = createServer((_, response) => {
    response.writeHead(404, { connection: 'close', 'content-type': 'text/plain' });
    response.end('Here is a WebSocket for runtimes alone.\n');
  });
  server.headersTimeout = 10_000;
  server.on('upgrade', upgrade);
  const [draft, path] = [draftOf(folder), join(folder, runSocketName)];
  rmSync(draft, { force: true }); // Of a server that was killed.
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(draft, () => {
      server.off('error', reject);
      resolve();
    });
  });
  chmodSync(draft, 0o666);
  renameSync(draft, path);
  const { ino } = statSync(path);
  return () => {
    server.close();
    server.closeAllConnections();
    // Another server may have made its own since.
    if (statSync(path, { throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
  };
}
