/** Picks the loopback address of a new host. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * The port on which every host answers `/healthz` on its own address. It is fixed, so that a probe
 * that binds it also notices hosts of other installations on this machine. It lies below the ports
 * that systems assign by themselves.
 */
const usualHealthPort = 17_100;

const maxAttempts = 32;

/**
 * Picks a loopback address that no other host has, verified by binding it. Systems with no address
 * but 127.0.0.1 (macOS) get that one; hosts then differ by port.
 * @param taken addresses that are known to be in use
 */
export async function pickAddress(
  taken: ReadonlySet<string>,
): Promise<{ address: string; healthPort: number }> {
  for (let attempt = 1; attempt <= maxAttempts; attempt += 1) {
    const address = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    if (taken.has(address)) continue;
    // If something listens on the usual port on all addresses, only another port is left.
    const healthPort = attempt < maxAttempts ? usualHealthPort : 0;
    const problem = await tryBinding(address, healthPort);
    if (problem === null) return { address, healthPort };
    if (problem !== 'EADDRINUSE') break;
  }
  return { address: '127.0.0.1', healthPort: 0 };
}

async function tryBinding(address: string, port: number): Promise<string | null> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'));
    server.listen({ host: address, port, exclusive: true }, () =>
      server.close(() => resolve(null)),
    );
  });
}
