import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Where every host answers `/healthz` on its own address. It is fixed so that a probe of an
 * address by binding it also notices the hosts of other installations on this machine, and lies
 * below the ports that systems give out by themselves.
 */
export const usualHealthPort = 17_100;

const attempts = 32;

/**
 * Picks a loopback address that no other host has, proved by binding it. Systems that hold no
 * more than 127.0.0.1 (macOS) get that; hosts then differ by port.
 * @param taken addresses that are known to be in use
 */
export async function pickAddress(
  taken: ReadonlySet<string>,
): Promise<{ address: string; healthPort: number }> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const address = `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
    if (taken.has(address)) continue;
    // Something that listens on the usual port of all addresses leaves no choice but another port.
    const healthPort = attempt < attempts ? usualHealthPort : 0;
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
