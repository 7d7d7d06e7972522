/** What bad input gets: a clear answer, nothing written, the socket and the server alive. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addHost, greenhouse } from './builders.ts';
import { type Client, createClient } from './client.ts';
import { type Server, startServer } from './server.ts';
import { openSocket, type Socket } from './socket.ts';

let server: Server;
let client: Client;
/** Opened before all else and used to the end. */
let socket: Socket;
let before: unknown;

beforeAll(async () => {
  server = await startServer();
  client = createClient(server);
  socket = await openSocket(server);
  await addHost(client, 'here-first');
  const first = { key: 'kept', storage: 'LOCAL', idempotencyKey: 'once' };
  await client.mutate('createDeviceRepository', first);
  before = await everything();
});

afterAll(async () => {
  socket?.close();
  await server?.dispose();
});

/** Counts and versions of all that a mutation could have written. */
function everything(): Promise<unknown> {
  return client.read(`{
    instances(first: 100) { nodes { key sequence version desiredState } }
    hosts(first: 100) { nodes { key sequence version } }
    solutions { totalCount nodes { key version versions { totalCount } } }
    deviceRepositories { totalCount }
    containerRepositories { totalCount }
    operations { totalCount }
    transitions { totalCount }
  }`);
}

const container = {
  deploymentType: 'MANAGED',
  workingStorage: 'CLOUD',
  imageSize: 'SMALL',
  containerRepository: 'runtime',
};
const instance = (more: object) => ({
  key: 'new-one',
  solution: 'greenhouse',
  subscription: 'trial',
  deviceRepository: 'kept',
  configuration: { app: {} },
  ...more,
});

describe('refusals that are part of the schema', () => {
  const cases: [string, string, object, object][] = [
    [
      'an unknown instance',
      'pauseInstance',
      { instance: 'nobody' },
      { __typename: 'ResourceNotFound', code: 'NOT_FOUND' },
    ],
    [
      'an unknown host',
      'removeHost',
      { host: 'SG9zdDpub3RoaW5n' },
      { __typename: 'ResourceNotFound', code: 'NOT_FOUND' },
    ],
    [
      'an illegal key',
      'createHost',
      { key: 'Not A Key!' },
      { __typename: 'InvalidInput', issues: [{ path: 'key' }] },
    ],
    ['a taken key', 'createHost', { key: 'here-first' }, { code: 'KEY_TAKEN' }],
    [
      'a taken key of an instance',
      'createInstance',
      instance({ key: 'greenhouse-1' }),
      { __typename: 'Conflict', code: 'KEY_TAKEN' },
    ],
    [
      'an unknown tag',
      'createInstance',
      instance({ configuration: { container: { ...container, containerTag: '9.9' } } }),
      { __typename: 'InvalidInput', issues: [{ path: 'configuration.container.containerTag' }] },
    ],
    [
      'an unknown version',
      'createInstance',
      instance({ solutionVersion: '9.9' }),
      { __typename: expect.stringMatching(/InvalidInput|ResourceNotFound/) },
    ],
    [
      'a setting that the solution does not know',
      'createInstance',
      instance({ settings: { alarmTemperature: 'hot', wind: 1 } }),
      { __typename: 'InvalidInput', issues: [{}, {}] },
    ],
    [
      'an idempotency key with another input',
      'createDeviceRepository',
      { key: 'other', storage: 'LOCAL', idempotencyKey: 'once' },
      { __typename: 'Conflict', code: 'IDEMPOTENCY_CONFLICT' },
    ],
    [
      'an old version',
      'updateInstance',
      { instance: 'greenhouse-1', name: 'New', expectedVersion: 99 },
      { __typename: 'Conflict', code: 'VERSION_CONFLICT' },
    ],
    [
      'an old sequence',
      'deployInstance',
      { instance: 'greenhouse-1', expectedSequence: 99 },
      { __typename: 'Conflict', code: 'VERSION_CONFLICT' },
    ],
    [
      'a command that the state does not allow',
      'resumeInstance',
      { instance: 'greenhouse-1' },
      { __typename: 'InstanceCommandRefused', code: expect.any(String) },
    ],
  ];
  test.each(cases)('%s', async (_name, field, input, expected) => {
    const outcome = await client.mutate(field, input);
    expect(outcome).toMatchObject(expected);
    expect(outcome.message).toMatch(/\S{3}/);
  });

  test('a solution with three faults names all three, with their paths', async () => {
    const definition = greenhouse();
    Object.assign(definition, {
      listeners: { http: { ...definition.listeners.http, port: 99_999 } },
      messages: { climate: { fields: { temperature: { type: 'COLOUR' } } } },
      inputCommands: { alarm: { method: 'GET', auth: 'NONE', answer: { kind: 'SING' } } },
    });
    const outcome = await client.mutate('createSolution', { key: 'faulty', definition });
    expect(outcome.__typename).toBe('InvalidInput');
    expect(outcome.issues?.map(({ path }) => path).sort()).toEqual([
      'definition.inputCommands.alarm.answer.kind',
      'definition.listeners.http.port',
      'definition.messages.climate.fields.temperature.type',
    ]);
  });
});

/** Documents that are refused as a whole, over both transports. */
const documents: [string, string, RegExp][] = [
  [
    'a missing field of an edition',
    `mutation { createInstance(input: { key: "x1", solution: "greenhouse", subscription: "trial",
      deviceRepository: "kept", configuration: { container: { deploymentType: MANAGED,
      workingStorage: CLOUD, containerRepository: "runtime" } } }) { __typename } }`,
    /imageSize/,
  ],
  [
    'two editions at once',
    `mutation { createInstance(input: { key: "x1", solution: "greenhouse", subscription: "trial",
      deviceRepository: "kept", configuration: { app: {}, cluster: { deploymentType: MANAGED,
      workingStorage: CLOUD, imageSize: SMALL, replicas: 1, containerRepository: "runtime" } } })
      { __typename } }`,
    /InstanceConfigurationInput|[Ee]xactly one/,
  ],
  [
    'an unknown enum value',
    '{ instances(filter: { state: [DANCING] }) { totalCount } }',
    /DANCING/,
  ],
  [
    'text that cannot be stored',
    '{ instances(filter: { label: [{ name: "a", value: ["b\\u0000"] }] }) { totalCount } }',
    /filter\.label\.0\.value\.0/,
  ],
  ['a malformed cursor', '{ instances(after: "garbage") { totalCount } }', /cursor/i],
  ['a malformed cursor of the log', '{ transitions(after: "garbage") { totalCount } }', /cursor/i],
  [
    '10,000 aliases',
    `{ ${Array.from({ length: 10_000 }, (_, index) => `a${index}: feedPosition`).join(' ')} }`,
    /aliases|tokens/,
  ],
  [
    'a depth of 50',
    `{ instance(instance: "greenhouse-1") { ${'host { instances { nodes { '.repeat(16)} key ${'} } }'.repeat(16)} } }`,
    /levels|cost|tokens/,
  ],
  [
    '11 mutations in one document',
    `mutation { ${Array.from({ length: 11 }, (_, index) => `m${index}: createHost(input: { key: "mass-${index}" }) { __typename }`).join(' ')} }`,
    /mutations/,
  ],
  ['a syntax error', '{ instances( }', /[Ss]yntax/],
  ['an unknown field', '{ instances { colour } }', /colour/],
  ['no operation', 'fragment F on Instance { key }', /operation/],
];

describe('documents', () => {
  test.each(documents)('%s, over HTTP', async (_name, query, expected) => {
    const { errors } = await client.ask(query);
    expect(errors?.map(({ message }) => message).join('\n')).toMatch(expected);
    expect(errors?.[0]?.extensions?.code).toMatch(/^(?!INTERNAL)[A-Z_]+$/);
  });
  test.each(documents)('%s, over WebSocket', async (_name, query, expected) => {
    const { errors } = await socket.run(query);
    expect(errors?.map(({ message }) => message).join('\n')).toMatch(expected);
    expect(errors?.[0]?.extensions?.code).toMatch(/^(?!INTERNAL)[A-Z_]+$/);
  });
  test('a malformed cursor of a subscription', async () => {
    const query = 'subscription { changes(after: "garbage") { __typename } }';
    expect((await socket.run(query)).errors?.[0]?.extensions?.code).toBe('CURSOR_INVALID');
  });
  test('one that nobody knows is null', async () => {
    const { data } = await client.ask<object>('{ instance(instance: "nobody") { key } }');
    expect(data).toEqual({ instance: null });
  });
});

test('after all that nothing is written, and server and socket are alive', async () => {
  expect(await everything()).toEqual(before);
  expect(server.isUp).toBe(true);
  expect(await socket.run('{ viewer { name } }')).toMatchObject({ data: { viewer: {} } });
  expect(server.output()).not.toContain(server.token);
});
