/** A connection for urgent reads, so that they do not queue behind writes. */
import type { Database, Queries, Session } from './database.ts';

export interface OwnConnection extends Queries {
  /** Drops a connection that does not answer; the next query opens another. */
  renew(): void;
  close(): void;
}

/**
 * Runs queries on a connection of its own, opened by the first query and again after a loss. PGlite
 * has one connection for all.
 */
export function createOwnConnection(database: Database): OwnConnection {
  const { kind, openSession } = database;
  if (!openSession) return { kind, query: database.query, renew() {}, close() {} };
  let session: Session | null = null;
  let isClosed = false;

  function current(open: () => Session): Session {
    if (session) return session;
    const opened = open();
    session = opened;
    void opened.ended.then(() => {
      if (session === opened) session = null;
    });
    return opened;
  }

  return {
    kind,
    query(text, parameters) {
      if (isClosed) return database.query(text, parameters);
      return current(openSession).query(text, parameters);
    },
    renew: () => session?.close(),
    close() {
      isClosed = true;
      session?.close();
    },
  };
}
