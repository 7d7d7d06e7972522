/**
 * The clients that people have, wired as their own pages say: each asks, commands, watches
 * transitions, leaves, and shows what the server says against it.
 */
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { getMainDefinition } from '@apollo/client/utilities';
import { fetchExchange, subscriptionExchange, Client as UrqlClient } from '@urql/core';
import { buildSchema, isAbstractType } from 'graphql';
import { createClient as createWebSocketClient, type Client as WebSocketClient } from 'graphql-ws';
import relay from 'relay-runtime';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../harness/eventually.ts';
import { type Client, createClient } from '../integration/client.ts';
import { type Server, startServer } from '../integration/server.ts';
import { openSubscriptions } from './open-subscriptions.ts';
import type { Data } from './streams.ts';

const key = 'greenhouse-1';
let server: Server;
let api: Client;
/** Without it Apollo loses what fragments on interfaces ask for. */
let possibleTypes: Record<string, string[]>;

beforeAll(async () => {
  server = await startServer();
  api = createClient(server);
  await api.accept('deployInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
  const sdl = await (await fetch(`${server.url}/schema.graphql`, { headers: headers() })).text();
  const schema = buildSchema(sdl);
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  possibleTypes = Object.fromEntries(
    abstract.map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
  );
});
afterAll(() => server?.dispose(), 120_000);

const documents = {
  query: 'query Now($key: ID!) { instance(instance: $key) { id key state sequence } }',
  pause: `mutation Pause($input: PauseInstanceInput!) { pauseInstance(input: $input) {
    __typename ... on InstanceCommandAccepted { operation { id status } } ... on UserError { code message } } }`,
  resume: `mutation Resume($input: ResumeInstanceInput!) { resumeInstance(input: $input) {
    __typename ... on UserError { code } } }`,
  watch: `subscription Watch($key: ID, $after: Cursor) {
    instanceTransitions(instance: $key, after: $after) {
      id sequence to instance { id key state sequence } } }`,
  wrong: 'query Wrong { nothing }',
} as const;
const variables = { key };
const input = { input: { instance: key } };

const headers = () => ({ authorization: `Bearer ${server.token}` });

/** graphql-ws as all of them take it; closed with the test. */
function webSocketClient(): WebSocketClient {
  const client = createWebSocketClient({
    url: `${server.url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: headers(),
  });
  onTestFinished(() => void client.dispose());
  return client;
}

/** A client's own words for the four things that all of them do. */
interface Wired {
  query(document: string, variables: object): Promise<Data>;
  mutate(document: string, variables: object): Promise<Data>;
  /** Returns how to unsubscribe. */
  watch(document: string, variables: object, sink: Sink): () => void;
}
interface Sink {
  next(data: Data): void;
  /** The codes of the errors. */
  error(codes: unknown[]): void;
}

const codesOf = (errors: unknown): unknown[] =>
  (errors as { extensions?: { code?: unknown } }[]).map(({ extensions }) => extensions?.code);

const clients: Record<string, () => Wired> = {
  'graphql-ws alone': () => {
    const client = webSocketClient();
    const once = (query: string, variables: object) =>
      new Promise<Data>((resolve, reject) => {
        let answer: Data | null | undefined;
        client.subscribe<Data>(
          { query, variables: variables as Data },
          {
            next({ data, errors }) {
              if (errors) reject(codesOf(errors));
              answer = data;
            },
            error: (errors) => reject(codesOf(errors)),
            complete: () => resolve(answer ?? {}),
          },
        );
      });
    return {
      query: once,
      mutate: once,
      watch: (query, variables, sink) =>
        client.subscribe<Data>(
          { query, variables: variables as Data },
          {
            next: ({ data, errors }) =>
              errors ? sink.error(codesOf(errors)) : sink.next(data as Data),
            error: (errors) => sink.error(codesOf(errors)),
            complete() {},
          },
        ),
    };
  },

  'Apollo Client': () => {
    const client = new ApolloClient({
      cache: new InMemoryCache({ possibleTypes }),
      link: ApolloLink.split(
        ({ query }) => {
          const definition = getMainDefinition(query);
          return (
            definition.kind === 'OperationDefinition' && definition.operation === 'subscription'
          );
        },
        new GraphQLWsLink(webSocketClient()),
        new HttpLink({ uri: `${server.url}/graphql`, headers: headers() }),
      ),
    });
    onTestFinished(() => client.stop());
    const codes = (error: unknown) =>
      CombinedGraphQLErrors.is(error) ? codesOf(error.errors) : [String(error)];
    const answered = <Answer extends { data?: unknown }>(answer: Promise<Answer>) =>
      answer.then(
        ({ data }) => data as Data,
        (error) => Promise.reject(codes(error)),
      );
    return {
      query: (document, variables) =>
        answered(client.query({ query: gql(document), variables, fetchPolicy: 'network-only' })),
      mutate: (document, variables) =>
        answered(client.mutate({ mutation: gql(document), variables })),
      watch(document, variables, sink) {
        const subscription = client.subscribe({ query: gql(document), variables }).subscribe({
          next: ({ data, error }) => (error ? sink.error(codes(error)) : sink.next(data as Data)),
          error: (error) => sink.error(codes(error)),
        });
        return () => subscription.unsubscribe();
      },
    };
  },

  urql: () => {
    const socket = webSocketClient();
    const client = new UrqlClient({
      url: `${server.url}/graphql`,
      fetchOptions: () => ({ headers: headers() }),
      preferGetMethod: false,
      exchanges: [
        fetchExchange,
        subscriptionExchange({
          forwardSubscription: ({ query, variables }) => ({
            subscribe: (sink) => ({
              unsubscribe: socket.subscribe(
                { query: query ?? '', variables: variables as Data },
                sink as never,
              ),
            }),
          }),
        }),
      ],
    });
    const answered = async (answer: Promise<{ data?: unknown; error?: Data }>) => {
      const { data, error } = await answer;
      if (error) throw codesOf(error.graphQLErrors);
      return data as Data;
    };
    return {
      query: (document, variables) => answered(client.query(document, variables).toPromise()),
      mutate: (document, variables) => answered(client.mutation(document, variables).toPromise()),
      watch(document, variables, sink) {
        const { unsubscribe } = client
          .subscription(document, variables)
          .subscribe(({ data, error }) =>
            error ? sink.error(codesOf(error.graphQLErrors)) : sink.next(data as Data),
          );
        return unsubscribe;
      },
    };
  },

  Relay: () => {
    const socket = webSocketClient();
    const network = relay.Network.create(
      async ({ text }, variables) => {
        const response = await fetch(`${server.url}/graphql`, {
          method: 'POST',
          headers: { ...headers(), 'content-type': 'application/json' },
          body: JSON.stringify({ query: text, variables }),
        });
        return response.json();
      },
      ({ text, name }, variables) =>
        relay.Observable.create((sink) =>
          socket.subscribe({ operationName: name, query: text ?? '', variables }, {
            ...sink,
            error: (cause: unknown) => sink.error(cause as Error),
          } as never),
        ),
    );
    const execute = (operationKind: 'query' | 'mutation' | 'subscription') => {
      return (text: string, variables: object) => {
        const name = /(?:query|mutation|subscription) (\w+)/.exec(text)?.[1] ?? '';
        return network.execute(
          { operationKind, name, text, id: null, cacheID: name, metadata: {} } as never,
          variables as never,
          { force: true },
        );
      };
    };
    const once = (kind: 'query' | 'mutation') => async (text: string, variables: object) => {
      const { data, errors } = (await execute(kind)(text, variables).toPromise()) as Data;
      if (errors) throw codesOf(errors);
      return data;
    };
    return {
      query: once('query'),
      mutate: once('mutation'),
      watch(text, variables, sink) {
        const subscription = execute('subscription')(text, variables).subscribe({
          next: (answer) => {
            const { data, errors } = answer as Data;
            return errors ? sink.error(codesOf(errors)) : sink.next(data);
          },
          error: (errors: unknown) => sink.error(codesOf(errors)),
        });
        return () => subscription.unsubscribe();
      },
    };
  },
};

describe.each(Object.entries(clients))('%s', (_name, wire) => {
  test('asks, commands, watches and leaves', async () => {
    const client = wire();
    const { instance } = await client.query(documents.query, variables);
    expect(instance).toMatchObject({ key, state: 'RUNNING' });

    const before = await openSubscriptions(server);
    const seen: Data[] = [];
    const errors: unknown[] = [];
    const leave = client.watch(
      documents.watch,
      { key, after: await api.feedPosition() },
      {
        next: ({ instanceTransitions }) => void seen.push(instanceTransitions),
        error: (codes) => void errors.push(codes),
      },
    );
    const paused = await client.mutate(documents.pause, input);
    expect(paused.pauseInstance).toMatchObject({ __typename: 'InstanceCommandAccepted' });
    await api.until(key, 'PAUSED');
    await client.mutate(documents.resume, input);
    await api.until(key, 'RUNNING');
    await api.untilSettled();
    await eventually(() => expect(seen).toHaveLength(4));
    expect(seen.map(({ to }) => to)).toEqual(['PAUSING', 'PAUSED', 'STARTING', 'RUNNING']);
    // What it showed before has not changed under the hands of its cache.
    expect(seen.map((each) => each.instance.state)).toEqual(seen.map(({ to }) => to));

    // A refusal is an answer.
    const again = await client.mutate(documents.resume, input);
    expect(again.resumeInstance).toMatchObject({ code: 'ALREADY_IN_STATE' });

    expect(await openSubscriptions(server)).toBe(before + 1);
    leave();
    await eventually(async () => expect(await openSubscriptions(server)).toBe(before));
    expect(errors).toEqual([]);
  });

  test('shows errors: of a document, of an argument, of a cursor', async () => {
    const client = wire();
    await expect(client.query(documents.wrong, {})).rejects.toEqual(['GRAPHQL_VALIDATION_FAILED']);
    const watched = (variables: object) =>
      new Promise((resolve, reject) => {
        client.watch(documents.watch, variables, { next: reject, error: resolve });
      });
    expect(await watched({ key: 'nobody' })).toEqual(['NOT_FOUND']);
    expect(await watched({ key, after: 'garbage' })).toEqual(['CURSOR_INVALID']);
  });
});
