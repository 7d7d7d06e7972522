/** Why a stream or a query ended before its time. */
import type { GraphQLFormattedError } from 'graphql';

export class StreamError extends Error {
  override readonly name = 'StreamError';
  /** `extensions.code` of the first error; CLOSED: the server closed the connection for good. */
  readonly code: string;
  /** What GraphQL said; empty where the connection was closed. */
  readonly errors: readonly GraphQLFormattedError[];
  /** The WebSocket's code (4403, 4500, …); null for errors of GraphQL. */
  readonly closeCode: number | null;

  constructor(message: string, about: Partial<Pick<StreamError, 'code' | 'errors' | 'closeCode'>>) {
    super(message);
    this.errors = about.errors ?? [];
    this.closeCode = about.closeCode ?? null;
    this.code = about.code ?? String(this.errors[0]?.extensions?.code ?? 'UNKNOWN');
  }
}

/** What graphql-ws hands to `error`: errors of GraphQL, a close event, or any other error. */
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

/** Errors of GraphQL alone that are the server's trouble, and not the request's: ask again later. */
export function mayPass(error: unknown): boolean {
  const errors = error instanceof StreamError ? error.errors : [];
  return errors.length > 0 && errors.every(({ extensions }) => passing.includes(extensions?.code));
}
