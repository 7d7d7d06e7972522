/** The failures of a registry, each with its own code and remedy. */
import { DriverError } from '../driver.ts';

/** A failure that stays until someone acts. */
export const lasting = (code: string, message: string, cause?: unknown): DriverError =>
  new DriverError(code, message, { retryable: false, cause });

/** A failure that may pass by itself. */
export const passing = (code: string, message: string, cause?: unknown): DriverError =>
  new DriverError(code, message, { retryable: true, cause });

/** The code of a failed `fetch`, which hides it in its causes. */
export function codeOf(error: unknown): string {
  const { code, cause, errors } = (error ?? {}) as {
    code?: unknown;
    cause?: unknown;
    errors?: unknown[];
  };
  if (typeof code === 'string') return code;
  const inner = cause ?? errors?.[0];
  return inner === undefined || inner === error ? '' : codeOf(inner);
}

const certificateFaults: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired: renew it on the registry',
  CERT_NOT_YET_VALID: 'is not valid yet: compare the clocks of the registry and of this server',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'is for another name: use the name in the image that the certificate has',
};
const untrusted: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
]);
const cuts: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'UND_ERR_SOCKET',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);

/** The failure of an exchange with `host` that gave no whole answer. */
export function exchangeFailure(host: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error;
  const code = codeOf(error);
  if (untrusted.has(code)) {
    return lasting(
      'REGISTRY_CERTIFICATE_INVALID',
      `The certificate of ${host} is signed by nobody whom this server trusts: set NODE_EXTRA_CA_CERTS to the file of its authority and restart the server.`,
      error,
    );
  }
  const fault = certificateFaults[code];
  if (fault) {
    return lasting('REGISTRY_CERTIFICATE_INVALID', `The certificate of ${host} ${fault}.`, error);
  }
  if (isNotTls(code)) {
    return lasting(
      'REGISTRY_WITHOUT_TLS',
      `${host} does not speak TLS: give it a certificate, or let the repository be \`insecure\`, which sends its password in clear.`,
      error,
    );
  }
  if (cuts.has(code)) {
    return passing(
      'REGISTRY_ANSWER_CUT',
      `${host} ended the connection before its answer was whole: try again; if it stays so, look at the registry and at the proxies before it.`,
      error,
    );
  }
  if (code.startsWith('HPE_')) return invalidAnswer(host, 'what it sent is not HTTP', error);
  return passing(
    'REGISTRY_UNREACHABLE',
    `${host} cannot be reached${code ? ` (${code})` : ''}: check the name and the port in the image, and the network of this server.`,
    error,
  );
}

export const isNotTls = (code: string): boolean =>
  code === 'EPROTO' ||
  code === 'ERR_SSL_WRONG_VERSION_NUMBER' ||
  code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG';

export const silent = (host: string, seconds: number): DriverError =>
  passing(
    'REGISTRY_SILENT',
    `${host} gave no whole answer within ${seconds} s: try again; if it stays so, look at the registry.`,
  );

export const invalidAnswer = (host: string, problem: string, cause?: unknown): DriverError =>
  lasting(
    'REGISTRY_ANSWER_INVALID',
    `${host} does not answer as a registry: ${problem}. Check the name and the port in the image.`,
    cause,
  );

/** The failure that an answer with an error status is, of anything but what is asked for. */
export function statusFailure(host: string, status: number): DriverError {
  if (status === 429) {
    return passing(
      'REGISTRY_TOO_MANY_REQUESTS',
      `${host} takes no more requests for now (429): try again later, or give the repository credentials with a higher limit.`,
    );
  }
  if (status === 403) {
    return lasting(
      'REGISTRY_ACCESS_DENIED',
      `${host} denies access to the image (403): give this user the right to pull it.`,
    );
  }
  if (status >= 500) {
    return passing(
      'REGISTRY_FAILED',
      `${host} failed (${status}): try again; if it stays so, look at its log.`,
    );
  }
  return invalidAnswer(host, `it answered ${status}`);
}
