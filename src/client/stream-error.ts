/** Why a stream or a query ended early. */
import type { GraphQLFormattedError } from 'graphql';

export class StreamError extends Error {
  override readonly name = 'StreamError';
  /**
   * `extensions.code` of the first error; CLOSED: the server closed the connection and must not be
   * retried.
   */
  readonly code: string;
  /** The GraphQL errors; empty if the connection was closed. */
  readonly errors: readonly GraphQLFormattedError[];
  /** The close code of the WebSocket (4403, 4500, …); null for GraphQL errors. */
  readonly closeCode: number | null;

  constructor(message: string, about: Partial<Pick<StreamError, 'code' | 'errors' | 'closeCode'>>) {
    super(message);
    this.errors = about.errors ?? [];
    this.closeCode = about.closeCode ?? null;
    this.code = about.code ?? String(this.errors[0]?.extensions?.code ?? 'UNKNOWN');
  }
}

/** What graphql-ws passes to `error`: GraphQL errors, a close event, or any other error. */
export function streamErrorOf(cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  if (Array.isArray(cause)) return ofErrors(cause);
  const { code, reason, message } = (cause ?? {}) as Record<string, unknown>;
  const text = String(reason || message || 'The connection was closed.');
  if (typeof code !== 'number') return new StreamError(text, { code: 'CLOSED' });
  return new StreamError(`${code}: ${text}`, { code: 'CLOSED', closeCode: code });
}

export function ofErrors(errors: readonly GraphQLFormattedError[]): StreamError {
  return new StreamError(errors.map(({ message }) => message).join('\n'), { errors });
}

const passing: readonly unknown[] = ['UNAVAILABLE', 'INTERNAL', 'RATE_LIMITED'];

/** GraphQL errors that are caused by the server, not by the request, and may pass. */
export function mayPass(error: unknown): boolean {
  const errors = error instanceof StreamError ? error.errors : [];
  return errors.length > 0 && errors.every(({ extensions }) => passing.includes(extensions?.code));
}
