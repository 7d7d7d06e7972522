/** Answers of plain HTTP: a status, a body, and the errors of GraphQL where there is one. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type RequestErrorCode, statusOfCode } from './request-error.ts';

export function answerText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}

export function answerJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(body));
}

/** Refuses a request before GraphQL, in GraphQL's form. */
export function answerError(
  response: ServerResponse,
  code: RequestErrorCode,
  message: string,
): void {
  if (code === 'UNAUTHENTICATED') response.setHeader('www-authenticate', 'Bearer');
  if (code === 'RATE_LIMITED') response.setHeader('retry-after', '60');
  answerJson(response, statusOfCode(code), { errors: [{ message, extensions: { code } }] });
}

/** Sends the browser elsewhere on this server. */
export function redirect(response: ServerResponse, path: string): void {
  response.writeHead(303, { location: path }).end();
}

export const isJson = ({ headers }: IncomingMessage): boolean =>
  /^application\/(graphql\+)?json\s*(;|$)/i.test(headers['content-type'] ?? '');

/** A small JSON body, or null where it is none or too large. */
export async function readJson(request: IncomingMessage, mostBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > mostBytes) return null;
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return null;
  }
}
