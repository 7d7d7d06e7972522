/**
 * Authentication and origin of a request: tokens, the session cookie, the origin of a page, the
 * name in the Host header. Independent of GraphQL.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Viewer } from '../../api/base/viewer.ts';
import type { AccessKeys } from '../../store/access-keys.ts';
import type { Metrics } from '../wire/metrics.ts';
import type { RequestErrorCode } from '../wire/request-error.ts';

export interface AuthOptions {
  readonly host: string;
  readonly publicUrl?: string;
  readonly allowedHosts: readonly string[];
  readonly tls: boolean;
}

export interface Refused {
  readonly code: Extract<RequestErrorCode, 'UNAUTHENTICATED' | 'FORBIDDEN' | 'RATE_LIMITED'>;
  readonly message: string;
}

export type Authenticated = { readonly viewer: Viewer } | Refused;

export interface Auth {
  /**
   * Is the Host of the request one of ours? Otherwise a page of another site could reach a local
   * server.
   */
  isOurHost(request: IncomingMessage): boolean;
  /** Does it come from a page of this server? Null: no header of a browser tells. */
  isOwnPage(request: IncomingMessage): boolean | null;
  /** Does its cookie belong to a session? For pages that a person opens, from any origin. */
  isSession(request: IncomingMessage): Promise<boolean>;
  /** The sender of a request: by its `Authorization` header, otherwise by the session cookie. */
  ofRequest(request: IncomingMessage): Promise<Authenticated>;
  /**
   * The sender on a socket: by `authorizationsOf` the payload of `connection_init`, otherwise as
   * for a request.
   */
  ofSocket(request: IncomingMessage, payload: unknown): Promise<Authenticated>;
  /** Counts a failure of its source; true if there have been too many. */
  failed(request: IncomingMessage): boolean;
  /** Name of the session cookie. Two servers on one machine must not share it. */
  cookieName(): string;
  readonly secureCookies: boolean;
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];
const unauthenticated: Refused = {
  code: 'UNAUTHENTICATED',
  message: 'Show a token: Authorization: Bearer …, or sign in with a link of npm run link.',
};
const wrongKey: Refused = {
  code: 'UNAUTHENTICATED',
  message: 'The token is wrong, expired or revoked. Sign in again, or show another.',
};
const twoTokens: Refused = {
  code: 'UNAUTHENTICATED',
  message: 'connection_init shows two different tokens. Show one.',
};
const throttled: Refused = {
  code: 'RATE_LIMITED',
  message: 'Too many wrong tokens from this address. Wait a minute; a right one is taken at once.',
};
const foreignPage: Refused = {
  code: 'FORBIDDEN',
  message: 'A session is for the pages of this server alone; a program shows a token instead.',
};

/** @param port the port listened on, once it is known */
export function createAuth(
  keys: Pick<AccessKeys, 'verify'>,
  options: AuthOptions & { port: () => number; metrics: Metrics },
): Auth {
  const publicUrl = options.publicUrl ? new URL(options.publicUrl) : null;
  const secureCookies = options.tls || publicUrl?.protocol === 'https:';
  const names = new Set(
    [
      ...loopbackNames,
      isIP(options.host) === 6 ? `[${options.host}]` : options.host,
      ...(publicUrl ? [publicUrl.hostname] : []),
      ...options.allowedHosts,
    ].map((name) => name.toLowerCase()),
  );
  const failures = createThrottle();
  const auth: Auth = {
    secureCookies,
    cookieName: () =>
      secureCookies ? '__Host-instance-manager' : `instance-manager-${options.port()}`,
    isOurHost({ headers }) {
      const name = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/.exec(
        (headers.host ?? '').toLowerCase(),
      )?.[1];
      return name !== undefined && names.has(name);
    },
    isOwnPage({ headers }) {
      if (headers.origin !== undefined) {
        const own = `${options.tls ? 'https' : 'http'}://${(headers.host ?? '').toLowerCase()}`;
        return headers.origin === own || headers.origin === publicUrl?.origin;
      }
      const site = headers['sec-fetch-site'];
      return site === undefined ? null : site === 'same-origin';
    },
    failed(request) {
      options.metrics.signInFailed();
      return failures.add(sourceOf(request));
    },
    async isSession(request) {
      const session = cookieOf(request, auth.cookieName());
      return session !== null && (await keys.verify(session))?.kind === 'SESSION';
    },
    ofRequest: (request) => authenticate(request, request.headers.authorization),
    async ofSocket(request, payload) {
      const sent = authorizationsOf(payload);
      if (sent.length > 1) return twoTokens;
      return authenticate(request, sent[0] ?? request.headers.authorization);
    },
  };

  async function authenticate(request: IncomingMessage, sent: unknown): Promise<Authenticated> {
    if (sent !== undefined) {
      const token = typeof sent === 'string' ? /^Bearer +(\S{1,512})$/i.exec(sent)?.[1] : null;
      return check(request, token ?? null);
    }
    const session = cookieOf(request, auth.cookieName());
    if (session === null) return unauthenticated;
    if (auth.isOwnPage(request) !== true) return foreignPage;
    return check(request, session);
  }

  async function check(request: IncomingMessage, token: string | null): Promise<Authenticated> {
    const viewer = token === null ? null : await keys.verify(token);
    if (viewer) return { viewer };
    return auth.failed(request) ? throttled : wrongKey;
  }

  return auth;
}

/**
 * The different values of `authorization` in a payload of `connection_init`: at the top or within
 * `headers`, in any case of letters, as existing clients send it. An empty value counts as none.
 */
export function authorizationsOf(payload: unknown): unknown[] {
  const top = entriesOf(payload);
  const headers = top.filter(([name]) => name.toLowerCase() === 'headers');
  const sent = [...top, ...headers.flatMap(([, value]) => entriesOf(value))]
    .filter(([name, value]) => name.toLowerCase() === 'authorization' && value)
    .map(([, value]) => value);
  return [...new Set(sent)];
}

const entriesOf = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];

/** The value of a cookie, or null. */
export function cookieOf({ headers }: IncomingMessage, name: string): string | null {
  for (const pair of (headers.cookie ?? '').split(';')) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name && value) return value;
  }
  return null;
}

/**
 * The address that failures are counted against: of IPv6 the network, because a host has many
 * addresses.
 */
function sourceOf({ socket }: IncomingMessage): string {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return isIP(address) === 6 ? address.split(':').slice(0, 4).join(':') : address;
}

const failuresAMinute = 10;
const maxSources = 10_000;

/** Counts failures per source. A right token does not consult it, so nobody can lock others out. */
function createThrottle() {
  const sources = new LRUCache<string, { count: number; until: number }>({ max: maxSources });
  return {
    /** Counts a failure; true if there are too many within a minute. */
    add(source: string): boolean {
      const now = performance.now();
      const before = sources.get(source);
      const entry = before && before.until > now ? before : { count: 0, until: now + 60_000 };
      entry.count += 1;
      sources.set(source, entry);
      return entry.count > failuresAMinute;
    },
  };
}
