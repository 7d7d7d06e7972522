/** The resuming client against a server that says anything: what it sends, drops, retries and tells. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { build } from 'esbuild';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { StreamError } from '../../src/client/client.ts';
import { eventually } from '../harness/eventually.ts';
import { type Asked, startScripted } from './scripted.ts';
import { clientOf, type Data, follow, type Told } from './streams.ts';

const query = 'subscription ($after: Cursor) { instanceTransitions(after: $after) { sequence } }';
const snapshot = { query: '{ feedPosition instances { nodes { id sequence } } }' };

/** A transition of an instance, with its cursor. */
const transition = (sequence: number, id = 'a') => ({
  data: { instanceTransitions: { sequence, instance: { id } } },
  extensions: { cursor: `c${sequence}` },
});
const refusal = (code: string, more: object = {}) => ({
  message: `No: ${code}.`,
  extensions: { code, ...more },
});

/** Answers snapshots at `position`; `stream` plays the subscriptions, which are counted from 0. */
function playing(
  stream: (asked: Asked, count: number) => void,
  { position = 'c0', sequence = 0 } = {},
) {
  let streams = 0;
  return (asked: Asked): void => {
    if (asked.query.startsWith('subscription')) {
      stream(asked, streams++);
      return;
    }
    asked.next({ data: { feedPosition: position, instances: { nodes: [{ id: 'a', sequence }] } } });
    asked.complete();
  };
}
const sequences = (events: readonly { data?: Data | null }[]) =>
  events.map(({ data }) => data?.instanceTransitions.sequence);
const afters = (asked: readonly Asked[]) =>
  asked.filter((each) => each.query === query).map(({ variables }) => variables?.after);

test.each([1001, 1005, 1006, 1012, 1013, 1014, 4408, 4499, 4504])(
  'closed with %i it goes on behind the newest event, and drops that event',
  async (code) => {
    const server = await startScripted(
      playing((asked, count) => {
        asked.next(transition(count + 1));
        asked.next(transition(count + 1));
        asked.next(transition(count + 2));
        if (count < 2) asked.close(code);
      }),
    );
    const told = follow(clientOf(server), { query });
    await eventually(() => expect(sequences(told.events)).toEqual([1, 2, 3, 4]));
    expect(afters(server.asked)).toEqual(['c0', 'c2', 'c3']);
    expect({ errors: told.errors, completed: told.completed }).toEqual({
      errors: [],
      completed: 0,
    });
  },
);

test.each([1002, 1011, 4400, 4401, 4403, 4406, 4409, 4429, 4500])(
  'closed with %i it ends with one error',
  async (code) => {
    const server = await startScripted(playing((asked) => asked.close(code)));
    const told = follow(clientOf(server), { query, snapshot });
    await eventually(() => expect(told.errors).toHaveLength(1));
    expect(told.errors[0]).toBeInstanceOf(StreamError);
    expect(told.errors[0]).toMatchObject({ code: 'CLOSED', closeCode: code, errors: [] });
    expect(server.connections).toBe(1);
    expect(told.completed).toBe(0);
  },
);

test('waits for a server that is not there yet, and tells what the connection does', async () => {
  const place = createServer().listen(0, '127.0.0.1');
  await once(place, 'listening');
  const { port } = place.address() as AddressInfo;
  let refused = 0;
  place.on('connection', (socket) => {
    refused += 1;
    socket.destroy();
  });
  const seen: string[] = [];
  const onStatus = (status: string) => void seen.push(status);
  const told = follow(clientOf({ url: `http://127.0.0.1:${port}` }, { onStatus }), { query });
  await eventually(() => expect(refused).toBeGreaterThan(7)); // graphql-ws gives up after 5.
  place.close();
  await once(place, 'close');
  await startScripted(
    playing((asked, count) => {
      asked.next(transition(count + 1));
      if (count === 0) asked.close(1012);
    }),
    port,
  );
  await eventually(() => expect(sequences(told.events)).toEqual([1, 2]));
  expect(seen).toEqual(['CONNECTED', 'DISCONNECTED', 'CONNECTED']);
});

test('without snapshot and cursor it begins now, at a position', async () => {
  const server = await startScripted(
    playing((asked, count) => {
      if (count === 0) return asked.close(1006);
      asked.next(transition(8));
    }),
  );
  const told = follow(clientOf(server), { query, variables: { instance: 'a' } });
  await eventually(() => expect(sequences(told.events)).toEqual([8]));
  expect(server.asked.map((asked) => asked.variables)).toEqual([
    undefined,
    { instance: 'a', after: 'c0' },
    { instance: 'a', after: 'c0' },
  ]);
  expect(told.resets).toEqual([]);
});

test('the variable of the cursor may have another name; a cursor to begin behind is used', async () => {
  const server = await startScripted(
    playing((asked, count) => (count === 0 ? asked.close(1006) : asked.next(transition(8)))),
  );
  const told = follow(clientOf(server), {
    query: query.replaceAll('$after', '$since'),
    variables: { since: 'c7' },
    cursorVariable: 'since',
    snapshot,
  });
  await eventually(() => expect(sequences(told.events)).toEqual([8]));
  expect(server.asked.map((asked) => asked.variables)).toEqual([{ since: 'c7' }, { since: 'c7' }]);
});

test('a snapshot first; what it showed already is dropped, of its own resource alone', async () => {
  const server = await startScripted(
    playing(
      (asked) => {
        for (const sequence of [4, 5, 6]) asked.next(transition(sequence));
        asked.next({ ...transition(5, 'b'), extensions: { cursor: 'b5' } });
        // No transition: a change of the same resource, whose sequence is what it was.
        asked.next({
          data: { changes: { kind: 'UPDATED', resource: { id: 'a', sequence: 5 } } },
          extensions: { cursor: 'u' },
        });
      },
      { sequence: 5 },
    ),
  );
  const told = follow(clientOf(server), { query, snapshot });
  await eventually(() => expect(told.events).toHaveLength(3));
  expect(told.events.map(({ extensions }) => extensions?.cursor)).toEqual(['c6', 'b5', 'u']);
  expect(told.resets).toEqual([
    {
      reason: 'INITIAL',
      oldestCursor: null,
      data: expect.objectContaining({ feedPosition: 'c0' }),
    },
  ]);
});

test.each([
  ['a snapshot without `id`', [{ key: 'a', sequence: 5 }], { key: 'b' }, [4, 5, 6]],
  ['an event without `id`', [{ id: 'a', sequence: 5 }], { key: 'a' }, [4, 5, 6]],
  ['a snapshot without `sequence`', [{ id: 'a' }], { id: 'a' }, [4, 5, 6]],
  [
    'a history in the snapshot: its own row counts, not an older one',
    [
      {
        id: 'a',
        sequence: 5,
        history: { nodes: [{ sequence: 2, instance: { id: 'a', sequence: 2 } }] },
      },
    ],
    { id: 'a' },
    [6],
  ],
  [
    'a history that was read later: its own row counts, not a newer one',
    [{ history: { nodes: [{ instance: { id: 'a', sequence: 6 } }] }, id: 'a', sequence: 5 }],
    { id: 'a' },
    [6],
  ],
  [
    'rows read one after the other: what one of them does not show comes',
    [
      { id: 'a', sequence: 4 },
      { id: 'a', sequence: 6 },
    ],
    { id: 'a' },
    [5, 6],
  ],
])('%s: nothing is taken for shown that was not', async (_what, nodes, instance, told) => {
  const server = await startScripted((asked) => {
    if (asked.query.startsWith('subscription')) {
      for (const sequence of [4, 5, 6])
        asked.next({
          data: { instanceTransitions: { sequence, instance } },
          extensions: { cursor: `c${sequence}` },
        });
      return;
    }
    asked.next({ data: { feedPosition: 'c0', instances: { nodes } } });
    asked.complete();
  });
  const { events } = follow(clientOf(server), { query, snapshot });
  await eventually(() => expect(sequences(events)).toEqual(told));
});

test.each(['next', 'error'] as const)(
  'a cursor that is lost, told by `%s`: a snapshot over the same socket, and on from there',
  async (message) => {
    let position = 0;
    const server = await startScripted((asked) => {
      if (!asked.query.startsWith('subscription')) {
        position += 10;
        asked.next({ data: { feedPosition: `c${position}` } });
        return asked.complete();
      }
      if (position === 20) return asked.next(transition(21));
      asked.next(transition(11));
      const errors = [refusal('CURSOR_EXPIRED', { oldestCursor: 'c15' })];
      if (message === 'error') return asked.error(...errors);
      asked.next({ errors });
      asked.complete();
    });
    const order: string[] = [];
    const told = follow(clientOf(server), {
      query,
      snapshot: { query: '{ feedPosition }' },
      async onReset(reset) {
        order.push(reset.reason);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${reset.oldestCursor} ${JSON.stringify(reset.data)} ${told.events.length}`);
      },
    });
    await eventually(() => expect(sequences(told.events)).toEqual([11, 21]));
    expect(order).toEqual([
      'INITIAL',
      'null {"feedPosition":"c10"} 0',
      'CURSOR_EXPIRED',
      'c15 {"feedPosition":"c20"} 1',
    ]);
    expect(afters(server.asked)).toEqual(['c10', 'c20']);
    expect(server.connections).toBe(1);
    expect({ errors: told.errors, completed: told.completed }).toEqual({
      errors: [],
      completed: 0,
    });
  },
);

describe('what arrives together with its end', () => {
  const together = (asked: Asked, result: object) =>
    asked.together(() => {
      asked.next(result);
      asked.complete();
    });
  /** Events from number 2 on; the connection is closed when each of the first two has arrived. */
  const stream = (asked: Asked, count: number) => {
    asked.next(transition(count + 1));
    if (count === 3) return;
    void eventually(() => expect(told.events).toHaveLength(count)).then(() => asked.close(1012));
  };
  let told: Told;
  const goesOn = async () => {
    await eventually(() => expect(sequences(told.events)).toEqual([2, 3, 4]));
    expect({ errors: told.errors, completed: told.completed }).toEqual({
      errors: [],
      completed: 0,
    });
  };

  test('a lost cursor: the stream goes on', async () => {
    const server = await startScripted(
      playing((asked, count) => {
        if (count === 0) together(asked, { errors: [refusal('CURSOR_EXPIRED')] });
        else stream(asked, count);
      }),
    );
    told = follow(clientOf(server), { query, snapshot });
    await goesOn();
  });

  test('a last event at which it is unsubscribed: the others go on', async () => {
    let count = 0;
    const server = await startScripted(
      playing((asked) => {
        if (asked.query.includes('last')) together(asked, { data: { last: true } });
        else {
          count += 1;
          stream(asked, count);
        }
      }),
    );
    const client = clientOf(server);
    told = follow(client, { query });
    const stop = client.subscribe(
      { query: 'subscription { last }' },
      { next: () => stop(), error: () => {} },
    );
    await goesOn();
  });
});

test('a cursor that is lost without a snapshot is an error', async () => {
  const oldestCursor = 'c15';
  const server = await startScripted(
    playing((asked) => {
      asked.next({ errors: [refusal('CURSOR_EXPIRED', { oldestCursor })] });
      asked.complete();
    }),
  );
  const told = follow(clientOf(server), { query });
  await eventually(() => expect(told.errors).toHaveLength(1));
  expect(told.errors[0]).toMatchObject({
    code: 'CURSOR_EXPIRED',
    errors: [{ extensions: { oldestCursor } }],
  });
});

test.each([
  ['told by `error`', (asked: Asked) => asked.error(refusal('GRAPHQL_VALIDATION_FAILED'))],
  [
    'told by `next`, with complete behind',
    (asked: Asked) => {
      asked.next({ errors: [refusal('FORBIDDEN')] });
      asked.complete();
    },
  ],
  [
    'in the place of an event, with events behind',
    (asked: Asked) => {
      asked.next({ data: { instanceTransitions: null }, errors: [refusal('INTERNAL')] });
      asked.next(transition(2));
    },
  ],
])('an error of GraphQL ends the stream, once: %s', async (_how, answer) => {
  const server = await startScripted(playing(answer));
  const told = follow(clientOf(server), { query });
  await eventually(() => expect(told.errors).toHaveLength(1));
  expect(told.errors[0]).toBeInstanceOf(StreamError);
  expect(told.errors[0]).toMatchObject({ closeCode: null, errors: [{ message: /^No: / }] });
  expect(told.events).toEqual([]);
  expect(told.completed).toBe(0);
});

test('an event with errors about a part of it is an event', async () => {
  const partial = { ...transition(1), errors: [refusal('INTERNAL')] };
  const server = await startScripted(
    playing((asked) => {
      asked.next(partial);
      asked.complete();
    }),
  );
  const told = follow(clientOf(server), { query });
  await eventually(() => expect(told.completed).toBe(1));
  expect(told).toMatchObject({ events: [partial], errors: [] });
});

test('a snapshot with an error, or without a position, is an error of the stream', async () => {
  const server = await startScripted((asked) => {
    if (asked.query.includes('broken')) asked.next({ data: {}, errors: [refusal('FORBIDDEN')] });
    else asked.next({ data: { position: 'c1' } });
    asked.complete();
  });
  const client = clientOf(server);
  const broken = follow(client, { query, snapshot: { query: '{ feedPosition broken }' } });
  await eventually(() => expect(broken.errors).toMatchObject([{ code: 'FORBIDDEN' }]));
  const other = follow(client, { query, snapshot: { query: '{ position: feedPosition }' } });
  await eventually(() => expect(other.errors).toMatchObject([{ message: /feedPosition/ }]));
});

test.each([
  ['UNAVAILABLE', ['UNAVAILABLE', 'INTERNAL']],
  ['INTERNAL', ['INTERNAL']],
  ['RATE_LIMITED', ['RATE_LIMITED']],
])('a snapshot that fails with %s is read again, until it is there', async (_code, codes) => {
  let snapshots = 0;
  const answer = playing((asked) => asked.next(transition(1)));
  const server = await startScripted((asked) => {
    if (asked.query.startsWith('subscription') || ++snapshots > 3) return answer(asked);
    asked.next({ data: { feedPosition: null }, errors: codes.map((code) => refusal(code)) });
    asked.complete();
  });
  const told = follow(clientOf(server), { query, snapshot });
  await eventually(() => expect(sequences(told.events)).toEqual([1]));
  expect(told).toMatchObject({ resets: [{ reason: 'INITIAL' }], errors: [], completed: 0 });
  expect(snapshots).toBe(4);
});

test('a snapshot that fails for a reason of its own as well is not read again', async () => {
  const server = await startScripted((asked) => {
    asked.next({ data: {}, errors: [refusal('UNAVAILABLE'), refusal('FORBIDDEN')] });
    asked.complete();
  });
  const told = follow(clientOf(server), { query, snapshot });
  await eventually(() => expect(told.errors).toHaveLength(1));
  expect(server.asked).toHaveLength(1);
});

test('a callback that throws ends its own stream alone', async () => {
  const server = await startScripted(playing((asked) => asked.next(transition(1))));
  const client = clientOf(server);
  const other = follow(client, { query });
  const error = await new Promise((resolve) =>
    client.subscribe(
      { query },
      {
        next() {
          throw new Error('of the page');
        },
        error: resolve,
      },
    ),
  );
  expect(error).toMatchObject({ message: 'of the page' });
  await eventually(() => expect(sequences(other.events)).toEqual([1]));
  expect(other.errors).toEqual([]);
  expect(server.connections).toBe(1);
});

test('unsubscribed, nothing is told any more, and an idle connection is closed', async () => {
  const streams: Asked[] = [];
  const server = await startScripted(playing((asked) => void streams.push(asked)));
  const told = follow(clientOf(server), { query });
  await eventually(() => expect(streams).toHaveLength(1));
  told.stop();
  streams[0]?.next(transition(1));
  streams[0]?.error(refusal('INTERNAL'));
  await eventually(() => expect(server.open).toBe(0));
  expect({ ...told, stop: null }).toEqual({
    ...{ events: [], resets: [], errors: [], completed: 0, stop: null },
  });
});

test('disposed of, streams complete at once, also while there is no server', async () => {
  const server = await startScripted(playing((asked) => asked.next(transition(1))));
  const client = clientOf(server, { longestWaitSeconds: 3600 });
  const told = follow(client, { query });
  const away = clientOf({ url: 'http://127.0.0.1:1' }, { longestWaitSeconds: 3600 });
  const waiting = follow(away, { query, snapshot });
  const asking = away.query({ query: '{ a }' }).catch((error: StreamError) => error);
  await eventually(() => expect(told.events).toHaveLength(1));
  await Promise.all([client.dispose(), away.dispose()]);
  expect([told.completed, waiting.completed]).toEqual([1, 1]);
  expect(await asking).toMatchObject({ code: 'CANCELLED' });
  expect([...told.errors, ...waiting.errors]).toEqual([]);
  await eventually(() => expect(server.open).toBe(0));
});

test('iterated: snapshots and events in their order; leaving unsubscribes', async () => {
  const server = await startScripted(
    playing((asked, count) => {
      if (count === 2) return asked.error(refusal('FORBIDDEN'));
      asked.next(transition(1));
      asked.next(transition(2));
      if (count === 1) asked.complete();
    }),
  );
  const client = clientOf(server);
  const seen: unknown[] = [];
  for await (const { reset, data } of client.iterate<Data>({ query, snapshot })) {
    seen.push(reset?.reason ?? data?.instanceTransitions.sequence);
    if (seen.length === 3) break;
  }
  expect(seen).toEqual(['INITIAL', 1, 2]);
  const all = [];
  for await (const { data } of client.iterate<Data>({ query })) all.push(data);
  expect(all).toHaveLength(2);
  const failing = client.iterate({ query });
  await expect(failing.next()).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(await failing.next()).toEqual({ done: true, value: undefined });
  const left = client.iterate({ query: 'subscription { fleet { state } }' });
  const next = left.next();
  await left.return?.();
  expect(await next).toEqual({ done: true, value: undefined });
});

test('an address that is none is told at once; an address of a page is resolved', () => {
  expect(() => clientOf({ url: 'nowhere' })).toThrow(TypeError);
  onTestFinished(() => void vi.unstubAllGlobals());
  vi.stubGlobal('location', { href: 'https://fleet.test/page' });
  clientOf({ url: '' });
});

test('runs in a browser: its bundle needs nothing of Node, nor the server', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['src/client/client.ts'],
    ...{ bundle: true, platform: 'browser', format: 'esm', write: false, metafile: true },
    logLevel: 'silent',
  });
  const files = Object.keys(metafile.inputs).map((path) => path.replace(/-[\w-]{8}\.js$/, '.js'));
  expect(files.filter((path) => !path.startsWith('src/client/')).sort()).toEqual([
    'node_modules/graphql-ws/dist/client.js',
    'node_modules/graphql-ws/dist/common.js',
    'src/timing/back-off.ts',
  ]);
  expect(outputFiles[0]?.text).toContain('createResumingClient');
});
