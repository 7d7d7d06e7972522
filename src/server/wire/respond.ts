/** Responses of plain HTTP: a status, a body, and errors in the form of GraphQL. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type BodyOptions, readBody } from '../../http/body.ts';
import { jsonRefusal, textOf } from '../../http/media-type.ts';
import { type RequestErrorCode, statusOfCode } from './request-error.ts';

export function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(body);
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    .end(JSON.stringify(body));
}

/** Refuses a request before GraphQL, in the form of GraphQL. */
export function sendError(response: ServerResponse, code: RequestErrorCode, message: string): void {
  if (code === 'UNAUTHENTICATED') response.setHeader('www-authenticate', 'Bearer');
  if (code === 'RATE_LIMITED') response.setHeader('retry-after', '60');
  sendJson(response, statusOfCode(code), { errors: [{ message, extensions: { code } }] });
}

/** Redirects the browser to another path of this server. */
export function redirect(response: ServerResponse, path: string): void {
  response.writeHead(303, { location: path }).end();
}

/** Whether the body is JSON by its headers; if not, an error is sent. */
export function isJson(
  { headers }: IncomingMessage,
  response: ServerResponse,
  types?: readonly string[],
): boolean {
  const refusal = jsonRefusal(headers, types);
  if (refusal) sendError(response, 'UNSUPPORTED_MEDIA_TYPE', refusal);
  return refusal === null;
}

/** The message of a server that is closing. */
export const closingMessage =
  'The server is closing. Nothing of this request was done: send it again.';

/** A body as text, or null if it was refused: then an error was sent or the client has gone. */
export async function readText(
  request: IncomingMessage,
  response: ServerResponse,
  options: BodyOptions,
): Promise<string | null> {
  const body = await readBody(request, response, options);
  if ('bytes' in body) {
    const text = textOf(body.bytes);
    if (text === null)
      sendError(response, 'BAD_REQUEST', 'The body is not UTF-8. Send JSON in UTF-8.');
    return text;
  }
  if (body.refusal === 'tooLarge')
    sendError(response, 'PAYLOAD_TOO_LARGE', tooLargeMessage(options.maxBytes));
  if (body.refusal === 'closing') {
    response.setHeader('connection', 'close');
    sendError(response, 'UNAVAILABLE', closingMessage);
  }
  return null;
}

const tooLargeMessage = (bytes: number) =>
  `The body is larger than ${bytes} bytes. Send several documents, and less in each.`;
