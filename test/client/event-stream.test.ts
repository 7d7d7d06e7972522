/** Server-Sent Events as people read them: curl, and an EventSource that goes on by itself. */
import { spawn, spawnSync } from 'node:child_process';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Client, createClient } from '../integration/client.ts';
import { type Server, startServer } from '../integration/server.ts';
import { startNetwork } from './network.ts';
import { openSubscriptions } from './open-subscriptions.ts';
import type { Data } from './streams.ts';

const key = 'greenhouse-1';
const query = `subscription { instanceTransitions(instance: "${key}") { sequence to } }`;
const hasCurl = spawnSync('curl', ['--version']).status === 0;
let server: Server;
let api: Client;

beforeAll(async () => {
  server = await startServer();
  api = createClient(server);
  await api.accept('deployInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
});
afterAll(() => server?.dispose(), 120_000);

async function pauseAndResume(): Promise<void> {
  await api.accept('pauseInstance', key);
  await api.until(key, 'PAUSED');
  await api.accept('resumeInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
}
const work = ['PAUSING', 'PAUSED', 'STARTING', 'RUNNING'];

interface Curl {
  /** The events that have arrived, as they stand in the stream. */
  events(): { event?: string; id?: string; data: Data | null }[];
  /** Status of the response, once it is over. */
  readonly ended: Promise<string>;
  kill(): void;
}

/** `curl -N`, as the README has it. */
function curl(query: string, ...more: string[]): Curl {
  let text = '';
  const child = spawn('curl', [
    ...['-N', '-sS', '-w', '%{stderr}%{http_code}', `${server.url}/graphql`, ...more],
    ...['-H', `Authorization: Bearer ${server.token}`, '-H', 'Accept: text/event-stream'],
    ...['-H', 'Content-Type: application/json', '-d', JSON.stringify({ query })],
  ]);
  onTestFinished(() => void child.kill());
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  let status = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    status += chunk;
  });
  const ended = new Promise<string>((resolve) => child.once('close', () => resolve(status)));
  const field = (block: string, name: string) =>
    new RegExp(`^${name}: ?(.*)$`, 'm').exec(block)?.[1];
  return {
    ended,
    kill: () => child.kill(),
    events: () =>
      text
        .split('\n\n')
        .slice(0, -1)
        .filter((block) => field(block, 'event'))
        .map((block) => ({
          event: field(block, 'event'),
          id: field(block, 'id'),
          data: JSON.parse(field(block, 'data') || 'null'),
        })),
  };
}

if (!hasCurl) console.log('There is no curl on this machine: its tests are skipped.');

test.skipIf(!hasCurl)(
  'curl -N, and again with Last-Event-ID: nothing lost, nothing twice',
  async () => {
    const before = await openSubscriptions(server);
    const first = curl(query);
    await eventually(async () => expect(await openSubscriptions(server)).toBe(before + 1));
    await pauseAndResume();
    await eventually(() => expect(first.events()).toHaveLength(4));
    const seen = first.events();
    expect(seen.map(({ data }) => data?.data.instanceTransitions.to)).toEqual(work);
    expect(seen.map(({ id }) => id)).toEqual(seen.map(({ data }) => data?.extensions.cursor));
    first.kill();
    await eventually(async () => expect(await openSubscriptions(server)).toBe(before));
    await pauseAndResume();
    const second = curl(query, '-H', `Last-Event-ID: ${seen[1]?.id}`);
    await eventually(() => expect(second.events()).toHaveLength(6));
    const states = second.events().map(({ data }) => data?.data.instanceTransitions.to);
    expect(states).toEqual([...work.slice(2), ...work]);
  },
);

test.skipIf(!hasCurl)('curl shows errors, and that a stream is complete', async () => {
  const wrong = curl('subscription { nothing }');
  await wrong.ended;
  expect(wrong.events()).toMatchObject([
    { event: 'next', data: { errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }] } },
    { event: 'complete' },
  ]);
  const lost = curl(query, '-H', 'Last-Event-ID: garbage');
  await lost.ended;
  expect(lost.events()[0]?.data?.errors[0].extensions.code).toBe('CURSOR_INVALID');
  const over = curl(query, '-H', 'Last-Event-ID: complete');
  expect(await over.ended).toBe('204');
});

test('an EventSource goes on where it was cut off, and stays away from what is complete', async () => {
  const network = await startNetwork(server);
  const open = (query: string, variables: object = {}) => {
    const address = new URL(`${network.url}/graphql`);
    address.searchParams.set('query', query);
    address.searchParams.set('variables', JSON.stringify(variables));
    const source = new EventSource(address, {
      fetch: (input, init) =>
        fetch(input, {
          ...init,
          headers: { ...init.headers, authorization: `Bearer ${server.token}` },
        }),
    });
    onTestFinished(() => source.close());
    return source;
  };
  const seen: Data[] = [];
  const source = open(query);
  source.addEventListener('next', ({ data }) => seen.push(JSON.parse(data)));
  await new Promise((resolve) => source.addEventListener('open', resolve));
  await pauseAndResume();
  await eventually(() => expect(seen).toHaveLength(4));
  network.cut();
  await pauseAndResume();
  await eventually(() => expect(seen).toHaveLength(8));
  expect(seen.map(({ data }) => data.instanceTransitions.to)).toEqual([...work, ...work]);
  const before = await openSubscriptions(server);
  source.close();
  await eventually(async () => expect(await openSubscriptions(server)).toBe(before - 1));

  const { operation } = await api.accept('restartInstance', key);
  const updates: Data[] = [];
  const finite = open('subscription ($id: ID!) { operationUpdates(operation: $id) { status } }', {
    id: operation?.id,
  });
  finite.addEventListener('next', ({ data }) => updates.push(JSON.parse(data)));
  await eventually(() => expect(finite.readyState).toBe(finite.CLOSED));
  expect(updates.at(-1)?.data.operationUpdates.status).toBe('SUCCEEDED');
});
