/**
 * What an engine or the way to it refuses, as errors that say what to do. An engine has one text for
 * each cause and no code, so it is recognised by its text; what is not known keeps its words.
 */
import { DriverError } from '../driver.ts';
import { aborted } from '../refusals.ts';

interface EngineError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly json?: { readonly message?: string } | null;
}

/** The status of the answer of an engine; null: it did not answer. */
export const statusOf = (error: unknown): number | null =>
  (error as EngineError).statusCode ?? null;

/** The engine's own words. */
export function wordsOf(error: unknown): string {
  const { json, message } = error as EngineError;
  const text = json?.message ?? message ?? String(error);
  return text
    .replace(/^\(HTTP code \d+\) [^-]* - /, '')
    .trim()
    .replace(/\.$/, '');
}

const untrusted =
  /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|ERR_TLS|ERR_SSL|^EPROTO$|ERR_OSSL/;

/** Makes the error of a verb of what went wrong on the way to the engine, or on it. */
export function engineError(error: unknown, endpoint: string, signal: AbortSignal): DriverError {
  if (error instanceof DriverError) return error;
  if (signal.aborted) return aborted(`The engine at ${endpoint} was being asked.`, error);
  return statusOf(error) === null ? noAnswer(error, endpoint) : refusal(error);
}

function noAnswer(error: unknown, endpoint: string): DriverError {
  const { code = '', message = '' } = error as EngineError;
  if (code === 'EACCES' || code === 'EPERM') {
    return refuse(
      'ENGINE_PERMISSION',
      `The server may not use ${endpoint}. Add its user to the group of the socket (usually docker), ` +
        'and start the server again.',
      error,
    );
  }
  if (untrusted.test(code) || /certificate|ssl|tls/i.test(message)) {
    return refuse(
      'ENGINE_TLS',
      `The engine at ${endpoint} and this server do not trust each other: ${message || code}. ` +
        'Look at the CA certificate, the client certificate and its key of the provider, and at their dates.',
      error,
    );
  }
  return retry(
    'ENGINE_UNREACHABLE',
    `No Docker engine answers at ${endpoint}: ${message || code}. ` +
      'Look whether it runs, and whether the address is right.',
    error,
  );
}

type Make = (words: string, error: unknown) => DriverError;

/** The first one that matches decides. */
const causes: readonly (readonly [RegExp, Make])[] = [
  [
    /port is already allocated|address already in use/i,
    (words, error) => {
      const port = /(\S+:\d+)/.exec(words.replace(/^.*Bind for /, ''))?.[1] ?? 'a port';
      return refuse(
        'PORT_TAKEN',
        `Something else uses ${port} on the engine. Free it, or let the solution name another port, or 0.`,
        error,
      );
    },
  ],
  [
    /cannot assign requested address/i,
    (words, error) =>
      refuse(
        'PUBLISH_ADDRESS',
        `The engine does not have the publishAddress of the provider: ${words}. Set one that it has.`,
        error,
      ),
  ],
  [
    /no space left on device/i,
    (words, error) =>
      retry(
        'ENGINE_DISK_FULL',
        `The disk of the engine is full: ${words}. Make room on it.`,
        error,
      ),
  ],
  [
    /non-overlapping IPv4 address pool|address pools have been fully subnetted/i,
    (words, error) =>
      refuse(
        'ENGINE_NETWORKS_FULL',
        `The engine has no addresses for another network: ${words}. Remove unused networks, or give it ` +
          'smaller subnets (default-address-pools in its daemon.json).',
        error,
      ),
  ],
  [
    // The engine has lost count of what was on a network, and only its start counts anew.
    /has active endpoints/i,
    (words, error) =>
      retry(
        'NETWORK_STUCK',
        `The engine takes a network for one in use that nothing is on: ${words}. Restart the engine, ` +
          'then repeat it.',
        error,
      ),
  ],
  [
    /bind source path does not exist/i,
    (words, error) =>
      refuse(
        'NO_WAY_TO_API',
        `The engine does not see the folder of the server's socket: ${words}. It runs on another machine, ` +
          'or the server in a container: set PUBLIC_URL to an address that the engine reaches.',
        error,
      ),
  ],
  [
    /range of CPUs is from|minimum memory limit|insufficient memory/i,
    (words, error) =>
      refuse(
        'ENGINE_TOO_SMALL',
        `The engine cannot give a runtime this size: ${words}. Choose a smaller image size, or another provider.`,
        error,
      ),
  ],
  [
    /executable file not found|no such file or directory|no command specified|exec format error|permission denied/i,
    (words, error) =>
      refuse(
        'IMAGE_UNUSABLE',
        `The image cannot be started: ${words}. Name one that has the runtime (npm run image), made for the ` +
          'platform of the engine.',
        error,
      ),
  ],
];

function refusal(error: unknown): DriverError {
  const words = wordsOf(error);
  const known = causes.find(([pattern]) => pattern.test(words));
  if (known) return known[1](words, error);
  const status = statusOf(error) ?? 0;
  const message = `The engine refused it (${status}): ${words}.`;
  // What is in conflict now, or failed within the engine, may work later.
  return status >= 500 || status === 409
    ? retry(
        'ENGINE_REFUSED',
        `${message} Repeat it; if it stays so, look at the log of the engine.`,
        error,
      )
    : refuse('ENGINE_REFUSED', `${message} Look at the log of the engine.`, error);
}

/** An error that no repetition can mend. */
export const refuse = (code: string, message: string, cause?: unknown): DriverError =>
  new DriverError(code, message, { retryable: false, cause });

/** An error that a repetition may mend. */
export const retry = (code: string, message: string, cause?: unknown): DriverError =>
  new DriverError(code, message, { retryable: true, cause });
