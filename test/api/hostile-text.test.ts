/** Text that PostgreSQL cannot store, and other hostile text, in every argument of the schema. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Context, createLoaders } from '../../src/api/base/context.ts';
import type { Pipeline } from '../../src/server/execution/pipeline.ts';
import { isStorable } from '../../src/store/input/text.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { type Api, type Data, openApi } from './api.ts';
import { anyRun } from './api-server.ts';
import { type Slot, slotsOf, withLiterals } from './argument-slots.ts';
import { TestSubscriber, testPipeline } from './stream.ts';

const texts: Readonly<Record<string, string>> = {
  'the character 0': 'a\0b',
  'a high surrogate alone': 'a\ud83d',
  'a low surrogate alone': '\udc00b',
  '100 KB': 'x'.repeat(100_000),
  'marks of direction': '\u200fabc\u202e\u2066\u2069🌱',
};

/** Far more than any case takes. */
const answerMs = 20_000;

const ofRuns = new Set([
  ...['runtimeDeviceValues', 'completeRuntimeCommand', 'reportRuntime'],
  ...['reportDeviceValues', 'reportLogs'],
]);

interface Answer {
  readonly data?: Data | null;
  readonly errors?: readonly { message: string; extensions: Data }[];
}

describe.each(['PGLITE', 'POSTGRES'] as const)('hostile text on %s', (kind) => {
  let api: Api;
  let pipeline: Pipeline;
  let slots: Slot[];
  let run: { runId: string; instanceId: string };
  let made = 0;

  beforeAll(async () => {
    api = await openApi(kind);
    await createSampleData(api.store, api.organizationId);
    const free = { key: 'free', storage: 'CLOUD' };
    await api.ask(
      `mutation ($input: CreateDeviceRepositoryInput!) {
         createDeviceRepository(input: $input) { __typename } }`,
      { input: free },
    );
    run = await anyRun(api.store.database);
    pipeline = testPipeline(api.schema, () => ({ ...api.context(), loaders: createLoaders() }));
    slots = slotsOf(api.schema, {
      lists: {
        Instance: 'instances',
        Host: 'hosts',
        Solution: 'solutions',
        BillingSubscription: 'billingSubscriptions',
        ContainerRepository: 'containerRepositories',
        DeviceRepository: 'deviceRepositories',
        ComputeProvider: 'computeProviders',
      },
      given: {
        ...{ instance: 'greenhouse-1', host: 'greenhouse-1-host', solution: 'greenhouse' },
        ...{ subscription: 'trial', billingSubscription: 'trial', deviceRepository: 'free' },
        ...{ containerRepository: 'runtime', image: 'runtime', tag: '1.0', run: run.runId },
        ...{ computeProvider: 'local', provider: 'local' },
        ...{ expectedVersion: 99, expectedSequence: 99 },
        InstanceConfigurationInput: { app: {} },
        ComputeProviderConfigurationInput: { docker: { endpoint: 'unix:///run/docker.sock' } },
        key: () => {
          made += 1;
          return `sweep-${made}`;
        },
      },
    });
  });
  afterAll(() => api?.close());

  async function send(slot: Slot, request: { query: string; variables?: Data }): Promise<Answer> {
    const subscriber = new TestSubscriber();
    const viewer: Context['viewer'] = ofRuns.has(slot.field)
      ? { ...api.context().viewer, kind: 'RUN', ...run }
      : api.context().viewer;
    const running = pipeline.run(request, {
      ...{ viewer, subscriber, requestId: randomUUID(), signal: new AbortController().signal },
      ...{ transport: 'WEBSOCKET', method: 'SOCKET', lastEventId: null },
    });
    const result = await Promise.race([running, sleep(answerMs, null, { ref: false })]);
    if (result === null) return { errors: [{ message: '', extensions: { code: 'NO ANSWER' } }] };
    if (result === subscriber || Symbol.asyncIterator in result) {
      await (result === subscriber ? subscriber : (result as AsyncIterator<Data>)).return?.();
      return {};
    }
    return JSON.parse(JSON.stringify(result)) as Answer;
  }

  const codesOf = ({ errors = [] }: Answer): unknown[] =>
    errors.map(({ extensions }) => extensions.code);

  const shapeOf = (slot: Slot, answer: Answer): string => {
    const { __typename, issues = [] } = answer.data?.[slot.field] ?? {};
    const paths = issues.map(({ path }: Data) => path);
    return JSON.stringify([codesOf(answer), __typename, paths]);
  };

  /** How an answer is not what text that cannot be stored gets there; null if it is. */
  async function fault(slot: Slot, answer: Answer): Promise<string | null> {
    const codes = codesOf(answer);
    if (slot.type === 'Cursor') return codes.includes('CURSOR_INVALID') ? null : 'taken';
    if (slot.type === 'DateTime') return codes.length > 0 ? null : 'taken';
    if (slot.type === 'ID' || slot.path.endsWith('.key.0')) {
      const ofUnknown = await send(slot, slot.request('no-such-thing'));
      const isSame = shapeOf(slot, answer) === shapeOf(slot, ofUnknown);
      return isSame ? null : 'not taken for an unknown one';
    }
    const result = answer.data?.[slot.field];
    const issues = result?.issues ?? answer.errors?.[0]?.extensions.issues ?? [];
    const [path = ''] = slot.path.split('{key}');
    const isNamed = issues.some((issue: Data) => issue.path.startsWith(path));
    return isNamed && [...codes, result?.code].includes('INVALID_INPUT') ? null : 'not named';
  }

  test('is never an internal error, in any argument', async () => {
    const wrong: string[] = [];
    let cases = 0;
    let faults = 0;
    for (const slot of slots) {
      for (const [name, text] of Object.entries(texts)) {
        const request = slot.request(text);
        const forms: [string, { query: string; variables?: Data }][] = [['variables', request]];
        // The other texts are no literals of GraphQL, or are the same as a variable.
        if (text.includes('\0') && !slot.path.includes('{key}'))
          forms.push(['a literal', { query: withLiterals(api.schema, request) }]);
        for (const [form, sent] of forms) {
          cases += 1;
          const answer = await send(slot, sent);
          const [code] = codesOf(answer);
          const isFault = code === 'INTERNAL' || code === 'NO ANSWER';
          if (isFault) faults += 1;
          const why = isFault ? code : isStorable(text) ? null : await fault(slot, answer);
          if (why) wrong.push(`${slot.name}: ${name} in ${form}: ${why}`);
        }
      }
    }
    console.log(
      `${kind}: ${cases} cases in ${slots.length} places, ${faults} INTERNAL or not answered`,
    );
    expect(wrong).toEqual([]);
    expect(slots.length).toBeGreaterThan(300);
  }, 300_000);

  test('is refused in a list within a list, before its statement is run', async () => {
    const nested = `query ($text: String) {
      instances { nodes { operations(filter: { instance: ["\\u0000"] }) { totalCount } } }
      solutions { nodes { instances(filter: { text: $text }) { totalCount } } } }`;
    const { data, errors } = await api.answer(nested, { text: '\ud800' });
    expect(data.instances.nodes).toEqual([{ operations: { totalCount: 0 } }]);
    expect(data.solutions).toBeNull();
    expect(errors).toMatchObject([{ code: 'INVALID_INPUT' }]);
    expect(errors[0]?.message).toContain('filter.text');
  });

  test('is refused within a cursor', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    for (const key of ['a\0b', 'a\ud83d']) {
      const cursor = Buffer.from(JSON.stringify(['KEY', key, id])).toString('base64url');
      const { errors } = await api.answer(`{ solutions(after: "${cursor}") { nodes { key } } }`);
      expect(errors).toMatchObject([{ code: 'CURSOR_INVALID' }]);
    }
  });

  test('is refused in JSON that is deeper than the store takes', async () => {
    let definition: unknown = 1;
    for (let depth = 0; depth < 20_000; depth += 1) definition = [definition];
    const { createSolution } = await api.ask(
      `mutation ($input: CreateSolutionInput!) { createSolution(input: $input) {
         __typename ... on InvalidInput { issues { path } } } }`,
      { input: { key: 'deep', definition } },
    );
    expect(createSolution.__typename).toBe('InvalidInput');
    expect(createSolution.issues[0].path).toMatch(/^definition(\.0){64}$/);
  });
});
