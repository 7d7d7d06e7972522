/** What describes a Docker engine, and what is at fault with it. */

/** The part of the configuration that is no secret. */
export interface DockerConfiguration {
  /** `unix:///var/run/docker.sock`, `tcp://engine.example:2376` */
  readonly endpoint: string;
  readonly tls: {
    readonly caCertificate: string;
    readonly clientCertificate: string | null;
  } | null;
  /** TLS may be absent although the endpoint lies beyond this machine. */
  readonly insecure: boolean;
  /** The IP address under which the engine publishes ports. */
  readonly publishAddress: string;
}

/** The secret part. */
export interface DockerSecrets {
  readonly clientKey: string;
}

export type DockerEndpoint =
  | { readonly kind: 'SOCKET'; readonly path: string }
  | { readonly kind: 'TCP'; readonly host: string; readonly port: number };

/** The parts of an endpoint; null: it is none. */
export function parseDockerEndpoint(text: string): DockerEndpoint | null {
  const socket = /^unix:\/\/(\/[^\0?#]+)$/.exec(text)?.[1];
  if (socket) return { kind: 'SOCKET', path: socket };
  const tcp =
    /^tcp:\/\/(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[A-Za-z0-9.-]+)):(?<port>\d{1,5})\/?$/.exec(
      text,
    );
  const { v6, name, port } = tcp?.groups ?? {};
  const host = v6 ?? name;
  if (!host || Number(port) < 1 || Number(port) > 65_535) return null;
  return { kind: 'TCP', host: host.toLowerCase(), port: Number(port) };
}

/** Is it on the machine of the server itself? */
export function isLocalEndpoint(endpoint: DockerEndpoint): boolean {
  if (endpoint.kind === 'SOCKET') return true;
  const { host } = endpoint;
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

interface Fault {
  readonly path: string;
  readonly message: string;
}

/** What is at fault; `hasKey` says whether the key of the client certificate is there. */
export function dockerFaults(
  { endpoint: text, tls, insecure, publishAddress }: DockerConfiguration,
  {
    hasKey,
    isIp,
    publicUrl,
  }: { hasKey: boolean; isIp(text: string): boolean; publicUrl: string | null },
): Fault[] {
  const faults: Fault[] = [];
  const endpoint = parseDockerEndpoint(text);
  if (!endpoint) {
    const message = 'Give unix:// with the path of a socket, or tcp:// with a host and a port.';
    faults.push({ path: 'endpoint', message });
  }
  const isLocal = endpoint === null || isLocalEndpoint(endpoint);
  if (!isLocal && !tls && !insecure) {
    const message =
      'An engine beyond this machine needs TLS, because whoever reaches it is root there: give tls, or insecure: true.';
    faults.push({ path: 'tls', message });
  }
  if (tls && endpoint?.kind === 'SOCKET') {
    faults.push({ path: 'tls', message: 'A socket takes no TLS: leave it out.' });
  }
  if (!isLocal && publicUrl === null) {
    const message =
      'Runtimes on an engine beyond this machine could not reach this server: start it with PUBLIC_URL.';
    faults.push({ path: 'endpoint', message });
  }
  faults.push(...tlsFaults(tls, hasKey));
  if (!isIp(publishAddress)) {
    const message = 'Give the IP address under which ports of this engine are reached.';
    faults.push({ path: 'publishAddress', message });
  }
  return faults;
}

const certificates =
  /^(?:\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;
const privateKey =
  /^\s*-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END (?:[A-Z]+ )*PRIVATE KEY-----\s*$/;

/** Is it a private key that needs no passphrase? */
export const isPrivateKey = (pem: string): boolean =>
  privateKey.test(pem) && !/ENCRYPTED/.test(pem);

function tlsFaults(tls: DockerConfiguration['tls'], hasKey: boolean): Fault[] {
  if (!tls)
    return hasKey ? [{ path: 'tls', message: 'A client key belongs to a certificate.' }] : [];
  const faults: Fault[] = [];
  for (const [name, pem] of Object.entries(tls)) {
    if (pem === null || certificates.test(pem)) continue;
    faults.push({ path: `tls.${name}`, message: 'Give certificates in PEM.' });
  }
  if ((tls.clientCertificate !== null) !== hasKey) {
    const message = 'Give the client certificate and its key, or neither.';
    faults.push({ path: hasKey ? 'tls.clientCertificate' : 'tls.clientKey', message });
  }
  return faults;
}

/** The publish address that an endpoint implies; null: it has to be given. */
export function impliedAddress(text: string, isIp: (text: string) => boolean): string | null {
  const endpoint = parseDockerEndpoint(text);
  if (!endpoint) return null;
  if (isLocalEndpoint(endpoint)) return '127.0.0.1';
  return endpoint.kind === 'TCP' && isIp(endpoint.host) ? endpoint.host : null;
}
