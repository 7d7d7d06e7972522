/** Asking a registry about one image: with or without TLS, who asks, and again where it is busy. */
import { setTimeout as delay } from 'node:timers/promises';
import { dockerHub, imageName } from '../../lifecycle/image-name.ts';
import { type BackOff, backOff } from '../../timing/back-off.ts';
import { DriverError } from '../driver.ts';
import { Authorization, type RegistryCredentials } from './authorization.ts';
import { type Answer, exchange, type Question } from './exchange.ts';
import { codeOf, isNotTls, statusFailure } from './failure.ts';

export interface ConnectionOptions {
  /** `registry.example:5000/team/runtime` */
  readonly image: string;
  readonly credentials: RegistryCredentials | null;
  /** Where the registry speaks no TLS, it is asked in clear. One on this machine always is. */
  readonly insecure: boolean;
  /** For one answer. */
  readonly answerSeconds?: number;
  /** For waiting until a busy registry takes a request. */
  readonly patienceSeconds?: number;
}

const maxAttempts = 5;
const busyBackOff: BackOff = { first: 0.5, max: 10, jitter: 0.5 };
const busyStatuses = [429, 502, 503, 504];
const maxProbeBytes = 2 ** 20;

export class RegistryConnection {
  /** Of the image in the registry. */
  readonly path: string;
  readonly #options: ConnectionOptions;
  readonly #origin: URL;
  #opened: Promise<{ base: URL; authorization: Authorization }> | null = null;

  constructor(options: ConnectionOptions) {
    const { registry, path } = imageName(options.image);
    this.path = path;
    this.#options = options;
    this.#origin = new URL(`https://${registry === dockerHub ? 'registry-1.docker.io' : registry}`);
  }

  /** For messages. */
  get host(): string {
    return this.#origin.host;
  }

  /** Asks for what is below the image; `target` is a path there, or a whole address. */
  async ask(
    target: string,
    asked: Pick<Question, 'accept' | 'maxBytes' | 'signal' | 'method'>,
  ): Promise<{ url: URL; answer: Answer }> {
    const { base, authorization } = await this.#open(asked.signal);
    const url = new URL(target, new URL(`/v2/${this.path}/`, base));
    let refusals = 0;
    for (;;) {
      const sent = await authorization.header((question) =>
        this.#patiently({ ...question, signal: asked.signal }),
      );
      const answer = await this.#patiently({ ...asked, url, authorization: sent });
      if (answer.status !== 401) return { url, answer };
      const challenge = answer.headers.get('www-authenticate');
      authorization.refused(sent, challenge, { isRepeat: refusals > 0 && sent !== null });
      if (sent !== null) refusals += 1;
    }
  }

  /** Where the registry is asked, found out once. */
  #open(signal: AbortSignal) {
    this.#opened ??= this.#findBase(signal)
      .then((base) => ({
        base,
        authorization: new Authorization(base, this.path, this.#options.credentials),
      }))
      .catch((error: unknown) => {
        this.#opened = null;
        throw error;
      });
    return this.#opened;
  }

  async #findBase(signal: AbortSignal): Promise<URL> {
    const plain = new URL(this.#origin.href.replace(/^https/, 'http'));
    if (!this.#mayBePlain(plain)) return this.#origin;
    try {
      const asked = { accept: ['*/*'], maxBytes: maxProbeBytes, signal, authorization: null };
      await this.#patiently({ ...asked, url: new URL('/v2/', this.#origin) });
      return this.#origin;
    } catch (error) {
      if (isNotTls(codeOf((error as Error).cause))) return plain;
      throw error;
    }
  }

  /** In clear is asked: from a registry on this machine, what is there too; else the registry itself. */
  #mayBePlain({ hostname }: URL): boolean {
    if (isLoopback(this.#origin.hostname)) return isLoopback(hostname);
    return this.#options.insecure && hostname === this.#origin.hostname;
  }

  /**
   * Repeats a question to a registry that is busy, at the time that it says, and once one that was cut: the
   * connection may have been an old one.
   */
  async #patiently(question: Omit<Question, 'seconds' | 'mayBePlain'>): Promise<Answer> {
    const { answerSeconds: seconds = 20, patienceSeconds = 60 } = this.#options;
    const mayBePlain = (url: URL) => this.#mayBePlain(url);
    const endAt = performance.now() + patienceSeconds * 1000;
    for (let attempt = 1; ; attempt += 1) {
      const answer = await exchange({ ...question, seconds, mayBePlain }).catch((error) => {
        if (attempt === 1 && error instanceof DriverError && error.code === 'REGISTRY_ANSWER_CUT') {
          return null;
        }
        throw error;
      });
      if (!answer) continue;
      if (!busyStatuses.includes(answer.status)) return answer;
      const waitMs = 1000 * (retryAfter(answer.headers) ?? backOff(busyBackOff, attempt - 1));
      if (attempt === maxAttempts || performance.now() + waitMs > endAt) {
        throw statusFailure(question.url.host, answer.status);
      }
      await delay(waitMs, undefined, { signal: question.signal });
    }
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/** Seconds, of a number or a date; null: it says nothing that can be read. */
function retryAfter(headers: Headers): number | null {
  const text = headers.get('retry-after')?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}
