/** One exchange over HTTP: bounded in time and size, with redirects that carry no credentials elsewhere. */
import { runWithin } from '../../timing/time-limit.ts';
import { exchangeFailure, invalidAnswer, lasting, silent } from './failure.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface Question {
  readonly url: URL;
  readonly method?: 'GET' | 'HEAD';
  readonly accept: readonly string[];
  /** The value of `Authorization`; sent to the origin of `url` alone. */
  readonly authorization: string | null;
  readonly maxBytes: number;
  /** For the answer as a whole, redirects included. */
  readonly seconds: number;
  readonly signal: AbortSignal;
  /** May this address be asked without TLS? */
  mayBePlain(url: URL): boolean;
}

const maxRedirects = 5;

/**
 * The answer, whatever its status.
 *
 * @throws DriverError where there is none, or the reason of `signal`
 */
export async function exchange(question: Question): Promise<Answer> {
  const { seconds, signal } = question;
  const { host } = question.url;
  signal.throwIfAborted();
  let isLate = false;
  try {
    return await runWithin(seconds * 1000, signal, async (limited) => {
      limited.addEventListener('abort', () => {
        isLate = !signal.aborted;
      });
      return await follow(question, limited);
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isLate) throw silent(host, seconds);
    throw exchangeFailure(host, error);
  }
}

async function follow(question: Question, signal: AbortSignal): Promise<Answer> {
  let { url } = question;
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && question.mayBePlain(url))) {
      throw lasting(
        'REGISTRY_WITHOUT_TLS',
        `${question.url.host} leads to ${url.protocol}//${url.host}, which has no TLS: correct the registry.`,
      );
    }
    const isSameOrigin = url.origin === question.url.origin;
    const response = await fetch(url, {
      method: question.method ?? 'GET',
      headers: {
        accept: question.accept.join(', '),
        'user-agent': 'instance-manager',
        ...(question.authorization && isSameOrigin
          ? { authorization: question.authorization }
          : {}),
      },
      redirect: 'manual',
      signal,
    });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || !location) {
      return {
        status: response.status,
        headers: response.headers,
        body: await read(question, response),
      };
    }
    await response.body?.cancel();
    url = redirected(question, location, url);
  }
  throw invalidAnswer(question.url.host, `it redirects more than ${maxRedirects} times`);
}

function redirected({ url: { host } }: Question, location: string, from: URL): URL {
  if (!URL.canParse(location, from)) throw invalidAnswer(host, 'it redirects to no address');
  return new URL(location, from);
}

async function read({ url, maxBytes }: Question, { body }: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.byteLength;
    if (size > maxBytes) {
      throw lasting(
        'REGISTRY_ANSWER_TOO_LARGE',
        `${url.host} answered with more than the ${maxBytes / 2 ** 20} MiB that are read: check the name of the image.`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
