/** The schema over a store of its own, asked as the server asks it; counts the statements. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { type Context, createLoaders } from '../../src/api/base/context.ts';
import { defaultLimits } from '../../src/api/base/limits.ts';
import { createSlots } from '../../src/api/base/slots.ts';
import { buildSchema } from '../../src/api/schema.ts';
import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { type OpenStore, openStore } from '../../src/store/open.ts';
import { createMigratedDatabase } from '../harness/database.ts';
import { createOrganization } from '../harness/rows.ts';
import { openTestStore, secretsKeys, zone } from '../store/stores.ts';
import { openStream, testPipeline } from './stream.ts';

export type StoreKind = 'PGLITE' | 'POSTGRES';

const shared = buildSchema();

/** What a test reads of an answer; it knows what it asked for. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is that of the document
export type Data = Record<string, any>;

export interface Answer {
  readonly data: Data;
  readonly errors: readonly { message: string; code: unknown; path: string }[];
}

export interface Api {
  readonly store: OpenStore;
  readonly feed: Feed;
  readonly schema: GraphQLSchema;
  /** Of a POSTGRES store. */
  readonly databaseUrl: string | undefined;
  readonly organizationId: string;
  /** Makes another organization; returns its id. */
  organization(key: string): Promise<string>;
  context(organizationId?: string): Context;
  /** Asks; throws on errors that nobody looks at with `answer`. */
  ask(document: string, variables?: Data, organizationId?: string): Promise<Data>;
  answer(document: string, variables?: Data, organizationId?: string): Promise<Answer>;
  /** The statements that reading meanwhile has run. */
  statements(run: () => Promise<unknown>): Promise<string[]>;
  watch(document: string, variables?: Data): Promise<AsyncIterableIterator<Data>>;
  close(): Promise<void>;
}

/**
 * Opens an API on an empty store of that kind, or on the store of another one. A test that changes the
 * schema brings one of its own.
 */
export async function openApi(
  kind: StoreKind,
  {
    databaseUrl,
    schema = shared,
  }: { databaseUrl?: string | undefined; schema?: GraphQLSchema } = {},
): Promise<Api> {
  const own = kind === 'POSTGRES' && !databaseUrl ? await createMigratedDatabase() : null;
  const url = databaseUrl ?? own?.url;
  const store = url ? await openOn(url) : await openTestStore('PGLITE');
  const feed = createFeed(store);
  await feed.start();
  const organizationId = store.defaultOrganizationId;
  const waiters = createSlots(defaultLimits.waitersPerToken);
  logStatements(store, kind);

  const api: Api = {
    store,
    feed,
    schema,
    databaseUrl: url,
    organizationId,
    organization: (key) => createOrganization(store.database, key),
    context: (organization = organizationId) => ({
      store,
      feed,
      viewer: {
        kind: 'ADMIN',
        organizationId: organization,
        accessKeyId: organization,
        name: 'tester',
      },
      server: { version: '0.0.0', schemaVersion: 3, limits: defaultLimits },
      waiters,
      loaders: createLoaders(),
    }),
    async ask(document, variables, organization) {
      const { data, errors } = await api.answer(document, variables, organization);
      if (errors.length) throw new Error(errors.map(({ message }) => message).join('\n'));
      return data;
    },
    async answer(document, variables = {}, organization = organizationId) {
      const parsed = parse(document);
      const faults = validate(schema, parsed, specifiedRules);
      if (faults.length) throw new Error(faults.join('\n'));
      const result = await execute({
        schema,
        document: parsed,
        contextValue: api.context(organization),
        variableValues: variables,
      });
      return answerOf(result);
    },
    async statements(run) {
      const log: string[] = [];
      await logged.run(log, run);
      return log;
    },
    async watch(document, variables = {}) {
      const pipeline = testPipeline(schema, api.context);
      return openStream(pipeline, api.context().viewer, { query: document, variables });
    },
    async close() {
      await feed.stop();
      await store.close();
      await own?.drop();
    },
  };
  return api;
}

const openOn = (databaseUrl: string): Promise<OpenStore> =>
  openStore({
    databaseUrl,
    dataDir: '',
    connections: 4,
    deadlines: defaultDeadlines,
    dnsZone: zone,
    secretsKeys,
    log: { info: () => {}, warn: () => {}, error: console.error } as never,
  });

function answerOf({ data, errors = [] }: ExecutionResult): Answer {
  return {
    data: (data ?? {}) as Data,
    errors: errors.map((error) => ({
      message: error.message,
      code: error.extensions.code,
      path: error.path?.join('.') ?? '',
    })),
  };
}

/** Where statements are written down; those of the feed and the maintenance have no such place. */
const logged = new AsyncLocalStorage<string[]>();
/** Clients whose statements are written down; an embedded one serves several tests. */
const watched = new WeakSet<object>();

/** Writes down the text of every statement, through either door. */
function logStatements(store: OpenStore, kind: StoreKind): void {
  const { drizzle } = store.database;
  const { $client } = drizzle as unknown as { $client: Record<string, Send> };
  const method = kind === 'PGLITE' ? 'query' : 'unsafe';
  const send = $client[method]?.bind($client);
  if (!send) throw new Error(`The client of ${kind} has no ${method}.`);
  if (!watched.has($client)) {
    watched.add($client);
    $client[method] = (text: string, ...rest: unknown[]) => {
      logged.getStore()?.push(text);
      return send(text, ...rest);
    };
  }
  const query = store.database.query.bind(store.database);
  Object.assign(store.database, {
    query: (text: string, parameters: never) => {
      logged.getStore()?.push(text);
      return query(text, parameters);
    },
  });
}

type Send = (text: string, ...rest: unknown[]) => unknown;
