/** Databases of a test's own on the run's PostgreSQL. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';

/** A database that nothing else uses. */
export interface TestDatabase {
  /** The address of a superuser's connection to it. */
  readonly url: string;
  /** Drops it, ending whatever is still connected. */
  drop(): Promise<void>;
}

/** Runs one statement outside of any test database. */
async function administer(serverUrl: string, statement: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Creates a database, a copy of the one with the name `template`. */
export async function createDatabase(serverUrl: string, template: string): Promise<TestDatabase> {
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => administer(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

const nameOf = (url: string) => new URL(url).pathname.slice(1);

/**
 * Creates an empty database, or a copy of `template`, to which nothing may be connected meanwhile.
 * `serverUrl` is for a server that the test started itself.
 */
export function createTestDatabase({
  serverUrl = inject('postgresUrl'),
  template,
}: {
  serverUrl?: string;
  template?: TestDatabase;
} = {}): Promise<TestDatabase> {
  return createDatabase(serverUrl, template ? nameOf(template.url) : 'template1');
}

/** Creates a database with the tables of a store, without rows: sooner than migrations make them. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return createDatabase(inject('postgresUrl'), nameOf(inject('migratedUrl')));
}
