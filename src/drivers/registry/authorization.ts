/** How a client shows who it is: what the registry challenges for, Basic or a token. */
import type { exchange, Question } from './exchange.ts';
import { invalidAnswer, lasting, statusFailure } from './failure.ts';
import { jsonObject } from './json.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** What `WWW-Authenticate` asks for. */
export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service: string | null };

/** The strongest challenge that can be met: Bearer before Basic. Null: none. */
export function parseChallenge(header: string | null): Challenge | null {
  const text = header ?? '';
  const [, parameters] =
    /\bBearer\s+((?:[\w-]+\s*=\s*(?:"[^"]*"|[^\s,"]+)\s*,?\s*)+)/i.exec(text) ?? [];
  const found = new Map<string, string>();
  for (const [, name = '', quoted, plain] of (parameters ?? '').matchAll(
    /([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))/g,
  )) {
    found.set(name.toLowerCase(), quoted ?? plain ?? '');
  }
  const realm = found.get('realm');
  if (realm) return { scheme: 'bearer', realm, service: found.get('service') ?? null };
  return /\bBasic\b/i.test(text) ? { scheme: 'basic' } : null;
}

/** A token, and how long it is used. */
interface Token {
  readonly text: string;
  /** By the monotonic clock. */
  readonly untilMs: number;
}

/** A token ends a little early here, so that none expires on its way. */
const marginSeconds = 5;
/** How long a token is valid whose answer says nothing. */
const impliedSeconds = 60;
const maxTokenBytes = 2 ** 20;

/** The authorization for pulling one image from one registry. */
export class Authorization {
  readonly #registry: URL;
  readonly #path: string;
  readonly #credentials: RegistryCredentials | null;
  #challenge: Challenge | null = null;
  #token: Promise<Token> | null = null;

  constructor(registry: URL, path: string, credentials: RegistryCredentials | null) {
    this.#registry = registry;
    this.#path = path;
    this.#credentials = credentials;
  }

  /** The value of `Authorization`; null: nothing was asked for yet. */
  async header(ask: TokenQuestion): Promise<string | null> {
    const challenge = this.#challenge;
    if (!challenge) return null;
    if (challenge.scheme === 'basic') return this.#basic();
    const held = this.#token;
    const token = await held?.catch(() => null);
    if (token && performance.now() < token.untilMs) return `Bearer ${token.text}`;
    if (this.#token === held) this.#token = this.#fetchToken(challenge, ask);
    return `Bearer ${(await this.#token)?.text}`;
  }

  /**
   * The registry refused `sent`: another is to be sent.
   *
   * @param isRepeat of a request that was sent with another token before
   * @throws DriverError where a repeat would be refused too
   */
  refused(
    sent: string | null,
    wwwAuthenticate: string | null,
    { isRepeat }: { isRepeat: boolean },
  ): void {
    const challenge = parseChallenge(wwwAuthenticate);
    if (!challenge) {
      throw invalidAnswer(
        this.#registry.host,
        'it answered 401 and asks for neither Basic nor Bearer authorization',
      );
    }
    const isBasic = challenge.scheme === 'basic';
    if (isBasic ? sent !== null || !this.#credentials : isRepeat) throw this.#refusal();
    this.#challenge = challenge;
    this.#token = null;
  }

  #basic(): string | null {
    if (!this.#credentials) return null;
    const { username, password } = this.#credentials;
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  #refusal() {
    const { host } = this.#registry;
    return this.#credentials
      ? lasting(
          'REGISTRY_CREDENTIALS_WRONG',
          `${host} refuses user and password for ${this.#path}: set them anew with updateContainerRepository(credentials:).`,
        )
      : lasting(
          'REGISTRY_CREDENTIALS_MISSING',
          `${host} asks for a user and a password for ${this.#path}, or has no such image: check the name, or set them with updateContainerRepository(credentials:).`,
        );
  }

  async #fetchToken(
    { realm, service }: Extract<Challenge, { scheme: 'bearer' }>,
    ask: TokenQuestion,
  ): Promise<Token> {
    if (!URL.canParse(realm)) {
      throw invalidAnswer(this.#registry.host, 'the address of its token server is none');
    }
    const url = new URL(realm);
    if (service !== null) url.searchParams.set('service', service);
    url.searchParams.set('scope', `repository:${this.#path}:pull`);
    if (this.#credentials) url.searchParams.set('account', this.#credentials.username);
    const askedAtMs = performance.now();
    const { status, body } = await ask({
      ...{ url, accept: ['application/json'], authorization: this.#basic() },
      maxBytes: maxTokenBytes,
    });
    if (status === 401 || status === 403) throw this.#refusal();
    if (status !== 200) throw statusFailure(url.host, status);
    const { token, access_token: accessToken, expires_in: seconds } = jsonObject(url.host, body);
    const text = token ?? accessToken;
    if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
      throw invalidAnswer(url.host, 'its answer has no token');
    }
    const valid = typeof seconds === 'number' && seconds > 0 ? seconds : impliedSeconds;
    return { text, untilMs: askedAtMs + Math.max(0, valid - marginSeconds) * 1000 };
  }
}

/** Asks a token server. */
export type TokenQuestion = (
  question: Pick<Question, 'url' | 'accept' | 'authorization' | 'maxBytes'>,
) => ReturnType<typeof exchange>;
