/**
 * Explains in one line for the operator why PostgreSQL cannot be used. Never shows the password.
 */
import { CannotOpenStore } from './database/data-directory.ts';
import { sqlState } from './database/sql-error.ts';

/** Returns the error unchanged if it is not one that an operator can remedy. */
export function explainConnection(error: unknown, url: string): unknown {
  if (error instanceof CannotOpenStore) return error;
  const { hostname, port, pathname, username } = new URL(url);
  const server = `${hostname || 'localhost'}:${port || 5432}`;
  const line = (text: string) => new CannotOpenStore(`DATABASE_URL: ${text}`);
  switch (sqlState(error)) {
    case '28P01':
    case '28000':
      return line(
        `the server at ${server} refuses the user ${decode(username)}: check name and password.`,
      );
    case '3D000':
      return line(`there is no database ${decode(pathname.slice(1))} at ${server}: create it.`);
    case '42501':
      return line(
        `the user ${decode(username)} may not create tables in ${decode(pathname.slice(1))}: grant it CREATE, or name the owner.`,
      );
    case '53300':
      return line(`the server at ${server} has no connection left: lower DATABASE_CONNECTIONS.`);
    case '57P03':
      return line(`the server at ${server} is still starting up: start again in a moment.`);
    default:
  }
  const code = errorCode(error);
  switch (code) {
    case 'ECONNREFUSED':
    case 'CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return line(`nothing answers at ${server} (${code}): is PostgreSQL running there?`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return line(`the host ${hostname} is not found (${code}): check the name.`);
    case 'CONNECTION_CLOSED':
    case 'CONNECTION_ENDED':
    case 'ECONNRESET':
      return line(`the server at ${server} closed the connection (${code}): is it PostgreSQL?`);
    default:
      return error;
  }
}

function errorCode(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof AggregateError && at.errors[0]) return errorCode(at.errors[0]);
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return null;
}

function decode(text: string): string {
  try {
    return JSON.stringify(decodeURIComponent(text));
  } catch {
    return JSON.stringify(text);
  }
}
