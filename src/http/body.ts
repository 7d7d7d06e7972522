/** Reads the body of a request: bounded in bytes, and in time once its server is closing. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Drain } from './drain.ts';

export interface BodyOptions {
  readonly maxBytes: number;
  readonly drain: Pick<Drain, 'onBodiesOver'>;
}

/** `closing`: it was not complete when the time for bodies was over. `gone`: the client left. */
export type Body =
  | { readonly bytes: Buffer }
  | { readonly refusal: 'tooLarge' | 'closing' | 'gone' };

/**
 * Tells a client that waits for it (`Expect: 100-continue`) to send the body, and reads it. The
 * rest of a refused body stays unread: the caller answers, and discards or cuts it.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  options: BodyOptions,
): Promise<Body> {
  const { maxBytes, drain } = options;
  if (Number(request.headers['content-length'] ?? 0) > maxBytes)
    return Promise.resolve({ refusal: 'tooLarge' });
  if (/\b100-continue\b/i.test(request.headers.expect ?? '')) response.writeContinue();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (body: Body) => {
      callOff();
      request.off('data', take).off('end', end).off('close', gone);
      resolve(body);
    };
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) settle({ refusal: 'tooLarge' });
      else chunks.push(chunk);
    };
    const end = () => settle({ bytes: Buffer.concat(chunks) });
    const gone = () => settle({ refusal: 'gone' });
    let callOff = () => {};
    request.on('error', () => {}); // `close` follows.
    request.on('data', take).once('end', end).once('close', gone);
    if (request.destroyed) return gone();
    callOff = drain.onBodiesOver(() => {
      // A complete body has been accepted, and is read from memory.
      if (!request.complete) settle({ refusal: 'closing' });
    });
  });
}
