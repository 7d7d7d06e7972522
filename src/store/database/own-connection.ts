/** A connection that nobody else waits for: what has to be read at once does not queue behind writes. */
import type { Database, Queries, Session } from './database.ts';

export interface Reader extends Queries {
  /** Gives the connection up, for it does not answer; the next query opens another. */
  renew(): void;
  close(): void;
}

/**
 * Queries over a connection of their own, opened with the first and again after it was lost. On
 * PGlite there is one connection for all.
 */
export function createReader(database: Database): Reader {
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
