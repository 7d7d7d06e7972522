/** The agent's side of its control socket. */
import { chmodSync, readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { DriverError } from '../driver.ts';
import { readFence } from './fence.ts';
import { type HostFiles, type HostRecord, writeWhole } from './files.ts';
import { type Answer, maxLineBytes, type Request } from './protocol.ts';
import type { RuntimeSupervisor } from './supervisor.ts';

const requestWithinMs = 5_000;

export interface ControlOptions {
  readonly files: HostFiles;
  readonly host: HostRecord;
  readonly runtimes: RuntimeSupervisor;
}

/** The server of the control socket; one request and one answer per connection. */
export function createControl(options: ControlOptions): {
  listen(path: string): Promise<void>;
  close(): void;
} {
  const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket, options));
  server.maxConnections = 256;
  return {
    listen: (path) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(path, () => {
          server.off('error', reject);
          chmodSync(path, 0o600);
          resolve();
        });
      }),
    close: () => void server.close(),
  };
}

function serve(socket: Socket, options: ControlOptions): void {
  let text = '';
  let asked = false;
  socket.setEncoding('utf8');
  socket.setTimeout(requestWithinMs, () => {
    if (!asked) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    if (asked) return;
    text += chunk;
    const end = text.indexOf('\n');
    if (end < 0 && text.length <= maxLineBytes) return;
    asked = true;
    const line = end < 0 ? null : text.slice(0, end);
    void answer(line, options).then((result) => socket.end(`${JSON.stringify(result)}\n`));
  });
  socket.on('end', () => {
    if (!asked) socket.destroy();
  });
}

async function answer(line: string | null, options: ControlOptions): Promise<Answer> {
  try {
    if (line === null) throw badRequest(`longer than ${maxLineBytes} bytes`);
    return { ok: true, body: await perform(parse(line), options) } as Answer;
  } catch (error) {
    const known = error instanceof DriverError;
    if (!known) console.error(error);
    return {
      ok: false,
      error: {
        code: known ? error.code : 'AGENT_FAILED',
        message: known
          ? error.message
          : `The host's agent failed: ${(error as Error).message}. See agent.log in its folder.`,
        retryable: known ? error.retryable : true,
        logTail: known ? error.logTail : null,
      },
    };
  }
}

function parse(line: string): Request {
  let request: Partial<Request> | null;
  try {
    request = JSON.parse(line) as Partial<Request> | null;
  } catch {
    throw badRequest('not JSON');
  }
  if (typeof request?.fence !== 'string' || !/^\d{1,40}$/.test(request.fence)) {
    throw badRequest('without a fencing token');
  }
  if (typeof request.body !== 'object' || request.body === null) throw badRequest('without body');
  return request as Request;
}

async function perform(request: Request, options: ControlOptions): Promise<object> {
  const { files, host, runtimes } = options;
  if (request.hostId !== host.hostId) throw badRequest(`meant for host ${request.hostId}`);
  const fence = BigInt(request.fence);
  switch (request.command) {
    case 'hello':
      return { nonce: host.nonce };
    case 'setEndpoint':
      setEndpoint(files, request.body.endpoint, fence);
      return {};
    case 'startRuntime':
      setEndpoint(files, request.body.endpoint, fence);
      return runtimes.start(request.body, fence);
    case 'stopRuntime':
      await runtimes.stop(request.body, fence);
      return {};
    case 'killRuntime':
      await runtimes.kill(request.body, fence);
      return {};
    case 'inspectRuntime':
      return runtimes.inspect(request.body);
    default:
      throw badRequest(
        `unknown command ${JSON.stringify((request satisfies never as Request).command)}`,
      );
  }
}

/**
 * Passes the endpoint to the runtimes of the host by a file. It has a fence of its own: a late
 * check must not restore an old endpoint, and a check must not fence off a restart that was decided
 * before it.
 */
function setEndpoint(files: HostFiles, endpoint: string, fence: bigint): void {
  if (typeof endpoint !== 'string' || !/^wss?:\/\//.test(endpoint)) throw badRequest('no endpoint');
  const fenceFile = join(files.folder, 'endpoint.fence');
  const seen = readFence(fenceFile);
  if (fence < seen) return;
  if (fence > seen) writeWhole(fenceFile, `${fence}\n`);
  if (readOrNull(files.endpoint) !== endpoint) writeWhole(files.endpoint, endpoint);
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function badRequest(problem: string): DriverError {
  return new DriverError(
    'BAD_REQUEST',
    `The host's agent does not understand the command: ${problem}. ` +
      'Where driver and agent are of different versions, restart the host.',
    { retryable: false },
  );
}
