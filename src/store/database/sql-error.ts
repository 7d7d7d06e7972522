/**
 * Errors of either database: their SQLSTATE, their constraint, whether the connection failed, and what may be
 * logged of them.
 */

/** SQLSTATE of a database error of either store, or null for any other error. */
export function sqlState(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    // A SQLSTATE has a digit; EPIPE is an error of the system.
    if ('code' in at && typeof at.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(at.code))
      return at.code;
  }
  return null;
}

/** Name of the constraint that a database error names, or null. */
export function violatedConstraint(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('constraint_name' in at && typeof at.constraint_name === 'string')
      return at.constraint_name;
    if ('constraint' in at && typeof at.constraint === 'string') return at.constraint;
  }
  return null;
}

/** Codes of `withDatabaseTimeout`, of postgres.js, of sockets and of name lookups. */
const lostConnection =
  /^(DATABASE_TIMEOUT|CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND|ENOENT|ERR_STREAM_|ERR_SOCKET_)/;

/** Did the connection fail, rather than the statement? Then it may or may not have committed. */
export function isConnectionError(error: unknown): boolean {
  const state = sqlState(error);
  if (state) return state.startsWith('08') || state.startsWith('57P') || state === '53300';
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string' && lostConnection.test(at.code)) {
      return true;
    }
  }
  return false;
}

interface DescribedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly constraint?: string;
  readonly stack?: readonly string[];
  readonly cause?: DescribedError;
}

/**
 * What may be logged of an error: no parameters of statements, no values, no control characters.
 */
export function describeError(error: unknown, depth = 0): DescribedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'not an Error' };
  const state = sqlState(error);
  // Drizzle's message has the parameters; PGlite's error has a query too, and a code of its own.
  const isOfDrizzle = 'query' in error && !('code' in error);
  const message = isOfDrizzle
    ? `Failed query: ${error.query}`
    : state
      ? error.message.replace(/: ".*"/s, ': …')
      : error.message;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message: printable(message),
    ...(state ? { code: state, constraint: violatedConstraint(error) ?? undefined } : {}),
    stack: frames.slice(0, 12).map((line) => printable(line.trim())),
    ...(error.cause && depth < 4 ? { cause: describeError(error.cause, depth + 1) } : {}),
  };
}

/** Text without control characters; pino escapes those below U+0020 itself. */
function printable(text: string): string {
  return text.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
