/**
 * `GET /healthz` for the engine of a container: the process answers. It tells nothing else; what the
 * instance does is told by its reports.
 */
import { createServer } from 'node:http';
import type { Log } from './log.ts';

/** Listens until the process ends. A port that is taken is no reason to end. */
export function serveHealth({
  address,
  port,
  log,
}: {
  readonly address: string;
  readonly port: number;
  readonly log: Log;
}): void {
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000 },
    (request, reply) => {
      request.resume();
      const isHealth = request.url === '/healthz' && request.method === 'GET';
      reply.writeHead(isHealth ? 200 : 404, { 'content-type': 'text/plain', connection: 'close' });
      reply.end(isHealth ? 'ok\n' : 'Here is GET /healthz alone.\n');
    },
  );
  server.maxConnections = 20;
  server.on('error', (error) =>
    log.warn(`No answer to /healthz on port ${port}: ${error.message}`),
  );
  server.listen(port, address).unref();
}
