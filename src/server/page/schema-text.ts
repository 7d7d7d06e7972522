/** The printed schema at `/schema.graphql`. A client may keep it, and asks each time whether it is still the same. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { brotli, encodingFor } from './files.ts';

/** @param sdl the same text each time */
export function createSchemaText(sdl: () => string) {
  const bodies = new Map<string, Promise<Uint8Array>>();
  const bodyIn = (encoding: string): Promise<Uint8Array> => {
    const body = bodies.get(encoding) ?? encode(Buffer.from(sdl()), encoding);
    bodies.set(encoding, body);
    return body;
  };
  let etag = '';

  /** Answers with the schema. The caller has checked who asks. */
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    etag ||= `"${createHash('sha256').update(sdl()).digest('base64url').slice(0, 16)}"`;
    response.setHeader('etag', etag);
    response.setHeader('cache-control', 'private, no-cache');
    response.setHeader('vary', 'accept-encoding, authorization, cookie');
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return;
    }
    const encoding = encodingFor(request);
    if (encoding) response.setHeader('content-encoding', encoding);
    const body = await bodyIn(encoding ?? '');
    response.writeHead(200, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': body.byteLength,
    });
    response.end(body);
  };
}

async function encode(text: Uint8Array, encoding: string): Promise<Uint8Array> {
  if (encoding === 'gzip') return promisify(gzip)(text);
  return encoding === 'br' ? brotli(text, 9) : text;
}
