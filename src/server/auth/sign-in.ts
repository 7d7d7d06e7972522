/**
 * Signs a browser in. The link has a single-use code in its fragment, which no server and no log
 * sees; the page posts the code and gets a session cookie.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Drain } from '../../http/drain.ts';
import { type AccessKeys, sessionHours } from '../../store/access-keys.ts';
import { isJson, readText, sendError, sendJson } from '../wire/respond.ts';
import { type Auth, cookieOf } from './auth.ts';
import { signInPage, signInScript, signInStyle } from './sign-in-page.ts';

export interface SignIn {
  /** `GET /sign-in` */
  page(request: IncomingMessage, response: ServerResponse): void;
  /** `POST /session` with a code, `DELETE /session` with the cookie. */
  session(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** `POST /session/link` with the administrator's token. */
  link(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** Makes a link that signs one browser in. */
  createLink(): Promise<{ url: string; expiresAt: Date }>;
}

const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hash(signInScript)}`,
  `style-src ${hash(signInStyle)}`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param options.ended called for a session that was signed out, to close its sockets */
export function createSignIn(options: {
  keys: AccessKeys;
  auth: Auth;
  baseUrl: () => string;
  ended: (accessKeyId: string) => void;
  drain: Drain;
}): SignIn {
  const { keys, auth } = options;

  const cookie = (value: string, seconds: number) =>
    [
      `${auth.cookieName()}=${value}`,
      'Path=/',
      `Max-Age=${seconds}`,
      'HttpOnly',
      'SameSite=Strict',
      ...(auth.secureCookies ? ['Secure'] : []),
    ].join('; ');

  async function createLink() {
    const { code, expiresAt } = await keys.createSignInCode();
    return { url: `${options.baseUrl()}/sign-in#code=${code}`, expiresAt };
  }

  async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (auth.isOwnPage(request) === false)
      return sendError(response, 'FORBIDDEN', 'Only the sign-in page of this server signs in.');
    if (!isJson(request, response)) return;
    const text = await readText(request, response, { maxBytes: 1024, drain: options.drain });
    if (text === null) return;
    const session = await keys.exchangeSignInCode(codeOf(text));
    if (!session) {
      const message = 'The link was used before or is older than 10 minutes: npm run link';
      const isTooMuch = auth.failed(request);
      return sendError(response, isTooMuch ? 'RATE_LIMITED' : 'UNAUTHENTICATED', message);
    }
    response.setHeader('set-cookie', cookie(session.token, sessionHours * 3600));
    sendJson(response, 200, { expiresAt: session.expiresAt.toISOString() });
  }

  async function signOut(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const found = await auth.ofRequest(request);
    if (!('viewer' in found)) return sendError(response, found.code, found.message);
    if (found.viewer.kind !== 'SESSION')
      return sendError(response, 'FORBIDDEN', 'Only a session can be signed out.');
    await keys.revoke(found.viewer.accessKeyId);
    options.ended(found.viewer.accessKeyId);
    response.setHeader('set-cookie', cookie('', 0));
    response.setHeader('clear-site-data', '"storage"');
    response.writeHead(204).end();
  }

  return {
    createLink,
    page(request, response) {
      response.setHeader('content-security-policy', policy);
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(request.method === 'HEAD' ? undefined : signInPage);
    },
    async session(request, response) {
      if (request.method === 'POST') return signIn(request, response);
      if (request.method === 'DELETE') return signOut(request, response);
      response.setHeader('allow', 'POST, DELETE');
      sendError(response, 'METHOD_NOT_ALLOWED', 'A session takes POST and DELETE.');
    },
    async link(request, response) {
      if (request.method !== 'POST') {
        response.setHeader('allow', 'POST');
        return sendError(response, 'METHOD_NOT_ALLOWED', 'A link is made by POST.');
      }
      const found = await auth.ofRequest(request);
      if (!('viewer' in found)) return sendError(response, found.code, found.message);
      if (found.viewer.kind !== 'ADMIN')
        return sendError(response, 'FORBIDDEN', "A link takes the administrator's token.");
      const { url, expiresAt } = await createLink();
      sendJson(response, 201, { url, expiresAt: expiresAt.toISOString() });
    },
  };
}

/** The code in a body, or an empty one. */
function codeOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body && 'code' in body ? String(body.code) : '';
  } catch {
    return '';
  }
}

/** Does the request carry a session cookie, valid or not? */
export const hasCookie = (request: IncomingMessage, auth: Auth): boolean =>
  cookieOf(request, auth.cookieName()) !== null;
