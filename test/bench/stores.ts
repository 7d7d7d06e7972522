/** The databases of a run: as many as asked for on one temporary PostgreSQL, and embedded stores. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { type OpenStore, openStore } from '../../src/store/open.ts';
import { startPostgres } from '../harness/postgres.ts';
import { createFleet } from './fleet.ts';
import { pausingDeadlineSeconds } from './server.ts';

/** As many connections as a server has by default. */
export const connections = 10;

export interface Bench {
  /** A new PostgreSQL database with so many instances. */
  createDatabase(instances: number): Promise<{ url: string; store: OpenStore }>;
  /** A new embedded store with so many instances, in this folder. It may be closed before the end. */
  createEmbedded(instances: number): Promise<{ store: OpenStore; dataDir: string }>;
  /** A new, empty folder. */
  createFolder(): Promise<string>;
  /** Ends what was opened here, in reverse order. */
  close(): Promise<void>;
}

const options = {
  connections,
  deadlines: {
    ...defaultDeadlines,
    instance: { ...defaultDeadlines.instance, PAUSING: pausingDeadlineSeconds },
  },
  dnsZone: 'instances.test',
  log: { warn: console.error, error: console.error, info: () => {} },
};

/** Starts a PostgreSQL: the one of TEST_DATABASE_URL, or a temporary one. */
export async function openBench(): Promise<Bench> {
  const given = process.env.TEST_DATABASE_URL;
  const temporary = given ? null : await startPostgres();
  const serverUrl = given ?? temporary?.url ?? '';
  const closers: (() => Promise<unknown>)[] = temporary ? [() => temporary.stop()] : [];
  let databases = 0;

  const createFolder = async (): Promise<string> => {
    const folder = await mkdtemp(join(tmpdir(), 'instance-manager-bench-'));
    closers.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    return folder;
  };
  const fill = async (store: OpenStore, instances: number): Promise<void> => {
    const most = 2_000;
    for (let from = 1; from <= instances; from += most) {
      const to = Math.min(instances, from + most - 1);
      await createFleet(store.database, store.defaultOrganizationId, { from, to });
    }
  };
  return {
    createFolder,
    async createDatabase(instances) {
      databases += 1;
      const name = `bench_${process.pid}_${databases}`;
      const administer = async (statement: string): Promise<void> => {
        const sql = postgres(serverUrl, { max: 1, onnotice: () => {} });
        await sql.unsafe(statement);
        await sql.end();
      };
      await administer(`create database ${name}`);
      closers.push(() => administer(`drop database ${name} with (force)`));
      const url = new URL(serverUrl);
      url.pathname = `/${name}`;
      const dataDir = await createFolder();
      const store = await openStore({ ...options, databaseUrl: url.href, dataDir });
      closers.push(() => store.close());
      await fill(store, instances);
      return { url: url.href, store };
    },
    async createEmbedded(instances) {
      const dataDir = await createFolder();
      const opened = await openStore({ ...options, dataDir });
      let closed: Promise<void> | null = null;
      const close = () => {
        closed ??= opened.close();
        return closed;
      };
      closers.push(close);
      await fill(opened, instances);
      return { store: { ...opened, close }, dataDir };
    },
    async close() {
      for (const close of closers.splice(0).reverse()) await close();
    },
  };
}
