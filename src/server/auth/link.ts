/**
 * `npm run link`: a new sign-in link of the running server. Only that process has the embedded
 * store open, so it is asked over HTTP, with the administrator token.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { join } from 'node:path';
import { ensureAdminToken } from '../../store/access-keys.ts';

interface Address {
  readonly port: number;
  readonly host: string;
  readonly tls: boolean;
}

const fileOf = (dataDir: string) => join(dataDir, 'server.json');

/** Records where the server listens; the returned function removes the record. */
export function rememberAddress(dataDir: string, address: Address): () => void {
  const text = JSON.stringify({ ...address, pid: process.pid });
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(fileOf(dataDir), text, { mode: 0o600 });
  } catch {
    return () => {}; // The address can still be given by HOST and PORT.
  }
  return () => {
    try {
      if (readFileSync(fileOf(dataDir), 'utf8') === text) rmSync(fileOf(dataDir));
    } catch {
      // Somebody else removed it.
    }
  };
}

/** No server answers, or it refuses; the message is for the operator. */
export class CannotLink extends Error {
  override readonly name = 'CannotLink';
}

/**
 * Requests a sign-in link from the running server.
 *
 * @throws CannotLink
 */
export async function requestSignInLink(config: {
  readonly dataDir: string;
  readonly adminToken?: string;
  readonly port: number;
  readonly host: string;
  readonly tlsCertFile?: string;
}): Promise<{ url: string; expiresAt: Date }> {
  const address = rememberedAddress(config.dataDir) ?? {
    port: config.port,
    host: config.host,
    tls: config.tlsCertFile !== undefined,
  };
  const token = await ensureAdminToken(config);
  const { status, body } = await post(address, token, config.tlsCertFile);
  if (status !== 201)
    throw new CannotLink(
      `The server answered ${status}. Is ADMIN_TOKEN or DATA_DIR the one that it was started with?`,
    );
  const { url, expiresAt } = JSON.parse(body) as { url: string; expiresAt: string };
  return { url, expiresAt: new Date(expiresAt) };
}

function rememberedAddress(dataDir: string): Address | null {
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Address;
  } catch {
    return null;
  }
}

function post(
  { port, host, tls }: Address,
  token: string,
  certFile: string | undefined,
): Promise<{ status: number; body: string }> {
  const options: RequestOptions = {
    method: 'POST',
    port,
    host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host,
    path: '/session/link',
    headers: { authorization: `Bearer ${token}`, host: `localhost:${port}` },
    timeout: 5_000,
  };
  // The certificate is issued for the public name, and the file is ours, so the name is not
  // checked.
  const trust = certFile
    ? { ca: readFileSync(certFile), checkServerIdentity: () => undefined }
    : {};
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const why = 'code' in cause ? cause.code : cause.message;
      reject(
        new CannotLink(`No server answers on ${host}:${port} (${why}). Start it first: npm start`),
      );
    };
    const sent = (tls ? secureRequest({ ...options, ...trust }) : request(options))
      .on('error', fail)
      .on('timeout', () => sent.destroy(new Error('timed out')))
      .on('response', (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
    sent.end();
  });
}
