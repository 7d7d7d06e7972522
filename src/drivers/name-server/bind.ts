/** Binds one port for UDP and TCP together, and explains why a port cannot be had. */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DriverError } from '../driver.ts';
import type { TcpListener } from './tcp-listener.ts';

export interface BoundPair {
  readonly udp: Socket;
  readonly tcp: TcpListener;
  readonly address: string;
  readonly port: number;
}

/**
 * A free TCP port is nearly always free for UDP too; this many failures in a row have another
 * cause.
 */
const freePortTries = 20;

/**
 * Listens on one port with both protocols. With port 0, tries until one is free for both.
 *
 * @throws DriverError that says what to change; nothing stays open then
 */
export async function bindBoth(
  host: string,
  port: number,
  makeTcp: () => TcpListener,
): Promise<BoundPair> {
  // Resolved once: `localhost` must not mean ::1 for one protocol and 127.0.0.1 for the other.
  const { address, family } = await lookup(host).catch((cause: unknown) => {
    throw listenError({ host, port, protocol: 'UDP' }, cause);
  });
  for (let tries = 1; ; tries += 1) {
    const tcp = makeTcp();
    const udp = createSocket(family === 6 ? 'udp6' : 'udp4');
    let protocol: 'TCP' | 'UDP' = 'TCP';
    try {
      tcp.server.listen({ host: address, port });
      await once(tcp.server, 'listening');
      const bound = (tcp.server.address() as AddressInfo).port;
      protocol = 'UDP';
      udp.bind({ address, port: bound });
      await once(udp, 'listening');
      return { udp, tcp, address, port: bound };
    } catch (cause) {
      udp.close();
      await tcp.close();
      const again = port === 0 && protocol === 'UDP' && codeOf(cause) === 'EADDRINUSE';
      if (!again || tries === freePortTries) throw listenError({ host, port, protocol }, cause);
    }
  }
}

function listenError(
  at: { host: string; port: number; protocol: 'TCP' | 'UDP' },
  cause: unknown,
): DriverError {
  const where = `The name server cannot listen on ${at.host}:${at.port} over ${at.protocol}`;
  switch (codeOf(cause)) {
    case 'EADDRINUSE':
      return new DriverError(
        'DNS_PORT_TAKEN',
        `${where}: another program uses DNS_PORT ${at.port}. Stop that program, or set DNS_PORT to a free port (0 takes any).`,
        { retryable: false, cause },
      );
    case 'EACCES':
    case 'EPERM':
      return new DriverError(
        'DNS_PORT_FORBIDDEN',
        `${where}: DNS_PORT ${at.port} is reserved for privileged programs. Set DNS_PORT to 1024 or more.`,
        { retryable: false, cause },
      );
    default: {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return new DriverError(
        'DNS_LISTEN_FAILED',
        `${where} (${reason}). Set DNS_HOST to an address of this machine and DNS_PORT to a free port from 0 to 65535.`,
        { retryable: false, cause },
      );
    }
  }
}

function codeOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}
