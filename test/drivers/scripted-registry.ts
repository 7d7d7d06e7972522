/** A registry that does what a test says: each request is answered by a function, in clear or with TLS. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { imageParts, imageType, sha256 } from '../harness/registry.ts';

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly authorization: string | null;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The answer to a request; null: there is none. */
export type Script = (asked: Asked, response: ServerResponse) => Reply | null;

export async function startScripted(
  script: Script,
  { pem }: { pem?: string } = {},
): Promise<{ host: string; origin: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://registry');
    const one = {
      method: request.method ?? '',
      url,
      authorization: request.headers.authorization ?? null,
    };
    asked.push(one);
    const reply = script(one, response);
    if (!reply) return;
    response.writeHead(reply.status ?? 200, reply.headers);
    response.end(request.method === 'HEAD' ? undefined : reply.body);
  };
  const server = pem ? createTlsServer({ cert: pem, key: pem }, answer) : createServer(answer);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const host = `${pem ? 'localhost' : '127.0.0.1'}:${port}`;
  return { host, origin: `${pem ? 'https' : 'http'}://${host}`, asked };
}

export const json = (value: unknown, headers: Record<string, string> = {}): Reply => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

export const noSuch = (code: string): Reply => ({
  ...json({ errors: [{ code }] }),
  status: 404,
});

/** An image `team/runtime` with the tag 1.0 for these platforms; one of them alone is no list. */
export function imagesFor(architectures: readonly string[], listed = true) {
  const images = architectures.map((architecture) => imageParts({ architecture }));
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      ...images.map(({ manifest }, place) => ({
        mediaType: imageType,
        size: manifest.length,
        digest: sha256(manifest),
        platform: { os: 'linux', architecture: architectures[place] },
      })),
      {
        mediaType: imageType,
        digest: sha256('attestation'),
        size: 1,
        platform: { os: 'unknown', architecture: 'unknown' },
      },
    ],
  });
  const texts = [index, ...images.flatMap(({ manifest, config }) => [manifest, config])];
  const top = listed ? index : (images[0]?.manifest ?? '');
  const script: Script = ({ url: { pathname } }) => {
    if (pathname.endsWith('/tags/list')) return json({ name: 'team/runtime', tags: ['1.0'] });
    if (pathname === '/v2/') return json({});
    const wanted = pathname.split('/').at(-1);
    const text = wanted === '1.0' ? top : texts.find((each) => sha256(each) === wanted);
    if (text === undefined) return noSuch('MANIFEST_UNKNOWN');
    return {
      headers: {
        'content-type': text === index ? 'application/vnd.oci.image.index.v1+json' : imageType,
        'docker-content-digest': sha256(text),
      },
      body: text,
    };
  };
  return { script, images, digest: sha256(top) };
}
