/** What the parts of the bench share: sizes, the client process, nodes, documents, waiting. */
import { type Notifier, startNotifier } from '../../../src/store/log/notifier.ts';
import type { OpenStore } from '../../../src/store/open.ts';
import { untilIdle } from '../commands.ts';
import { adminToken, startServer } from '../server.ts';
import type { Bench } from '../stores.ts';
import type { Clients } from './clients.ts';
import { type Child, startChild } from './process.ts';

export interface BenchRun {
  readonly bench: Bench;
  readonly clients: Child<Clients>;
  /** Small sizes, to see whether it runs. */
  readonly quick: boolean;
}

/** A node under measurement: a black box with a process id. */
export interface Node {
  readonly url: string;
  readonly pid: number;
  /** Asks it to collect its garbage. */
  collect(): void;
  /** The `data` of a query. */
  query(text: string): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

export interface Database {
  readonly url: string;
  readonly store: OpenStore;
}

export const startClients = (): Child<Clients> =>
  startChild<Clients>(new URL('./clients.ts', import.meta.url));

const collector = "process.on('SIGUSR2', () => { gc(); gc(); })";

/**
 * Starts a node over a database and waits until it has nothing to do.
 *
 * @param options.url where its database is, if it goes another way there than the bench does
 * @param options.subscribesUnderLoad new subscriptions come right after full load, which a node
 *   that was busy for ten seconds would put off
 */
export async function startNode(
  { bench }: BenchRun,
  { store, ...database }: Database,
  options: { url?: string; subscribesUnderLoad?: true } = {},
): Promise<Node> {
  const server = await startServer({
    databaseUrl: options.url ?? database.url,
    settings: options.subscribesUnderLoad ? { STREAM_BUSY_PERCENT: '100' } : {},
    dataDir: await bench.createFolder(),
    flags: ['--expose-gc', '--import', `data:text/javascript,${encodeURIComponent(collector)}`],
  });
  await untilIdle(store);
  const { pid, stop } = server;
  return {
    url: server.url,
    pid,
    collect: () => {
      process.kill(pid, 'SIGUSR2');
    },
    async query(text) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query: text }),
      });
      const answer = (await response.json()) as { data: Record<string, unknown>; errors?: unknown };
      if (answer.errors) throw new Error(JSON.stringify(answer.errors));
      return answer.data;
    },
    stop,
  };
}

/** A notifier as another node has one; it sends to all that listen on this database. */
export function notifierOf({ store }: Database): Notifier {
  return startNotifier(store.database);
}

/** What the row of the log holds itself: an event of about 400 bytes. */
export const watch = /* GraphQL */ `
  subscription Watch($since: DateTime, $after: Cursor) {
    instanceTransitions(filter: { at: { since: $since } }, after: $after) {
      id
      cursor
      sequence
      fromState
      toState
      at
      details
      actor { kind name }
    }
  }`;

/** The same for the naive server. */
export const watchNaively = /* GraphQL */ `
  subscription {
    instanceTransitions { id cursor sequence fromState toState at details actor { kind name } }
  }`;

/** And something that it does not hold. */
export const watchInstances = watch.replace('actor', 'instance { key state }\n      actor');

/** So many documents that show the same under another name. */
export function documentsOf(document: string, count: number): string[] {
  if (count === 1) return [document];
  return Array.from({ length: count }, (_, n) => document.replace('at\n', `at${n}: at\n`));
}

/** So many variables of a filter that every transition passes. */
export function variablesOf(filters: number): object[] {
  if (filters === 1) return [{}];
  const from = Date.UTC(2020, 0, 1);
  return Array.from({ length: filters }, (_, n) => ({
    since: new Date(from + n * 1000).toISOString(),
  }));
}

/** How a crowd of subscribers of a node is opened. */
export const crowdOf = ({ url }: Node, count: number) => ({
  url,
  count,
  token: adminToken,
  atATime: 100,
});

/**
 * Makes events until all of a crowd are known to get each: an open subscription is not acknowledged.
 */
export async function settle(
  { clients }: BenchRun,
  crowd: string,
  emit: () => Promise<unknown>,
): Promise<void> {
  await clients.call('reset', crowd);
  let failure: unknown = null;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const reached = clients.call('reached', crowd, 1, 3).then(
      () => true,
      (error: unknown) => {
        failure = error;
        return false;
      },
    );
    await emit();
    if (await reached) {
      await clients.call('quiet', crowd);
      await clients.call('reset', crowd);
      return;
    }
  }
  throw failure;
}

/** Starts `act` so many times a second; resolves when all have ended. */
export async function atRate(
  perSecond: number,
  seconds: number,
  act: () => Promise<unknown>,
): Promise<void> {
  const running: Promise<unknown>[] = [];
  const start = () => {
    const started = act();
    started.catch(() => {}); // Thrown below, when all have begun.
    running.push(started);
  };
  const began = performance.now();
  for (let started = 0; started < perSecond * seconds; ) {
    const due = ((performance.now() - began) / 1000) * perSecond;
    for (; started < due && started < perSecond * seconds; started += 1) start();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(running);
}

/** Ends what was opened, in reverse order. */
export function closers(): {
  add<Opened>(opened: Opened, close: () => Promise<unknown>): Opened;
  close(): Promise<void>;
} {
  const open: (() => Promise<unknown>)[] = [];
  return {
    add(opened, close) {
      open.push(close);
      return opened;
    },
    async close() {
      for (const close of open.splice(0).reverse()) await close();
    },
  };
}
