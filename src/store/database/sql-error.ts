/** Errors of either database: their SQLSTATE, their constraint, and whether the connection failed. */

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

/** Codes of postgres.js, of sockets and of name lookups. */
const lostConnection =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_|ENOTFOUND|ENOENT|ERR_STREAM_|ERR_SOCKET_)/;

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
