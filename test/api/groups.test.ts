/** Subscriptions that ask for the same: rendered once, and each gets all that is its own. */
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOperation } from '../harness/rows.ts';
import { type Data, openApi } from './api.ts';
import { type OpenPipeline, openPipeline, Reader } from './open-pipeline.ts';

const changes = `subscription ($after: Cursor, $filter: ChangeFilter) {
  changes(after: $after, filter: $filter) { __typename ... on ResourceChange { kind at } } }`;
/** Has to be read, so that it is rendered while other things happen. */
const withHost = `subscription ($after: Cursor) {
  instanceTransitions(after: $after) { instance { host { key } } } }`;
const cursorsOf = (appended: readonly { cursor: string }[]) => appended.map(({ cursor }) => cursor);

let opened: OpenPipeline;
beforeAll(async () => {
  opened = await openPipeline('PGLITE');
});
afterAll(() => opened?.close());

const position = () => opened.feed.position(opened.api.organizationId);
/** All that was committed has been handed on. */
const settled = async () => void (await position());

/** Renderings while this ran. */
async function renderingsOf(run: () => Promise<unknown>): Promise<number> {
  const before = opened.renderings();
  await run();
  return opened.renderings() - before;
}

/** Statements with such a parameter wait until they are released. */
function holdCounts(parameter: string): { readonly running: number; release(): void } {
  const { $client } = opened.api.store.database.drizzle as unknown as {
    $client: { query(text: string, parameters?: unknown[], options?: object): Promise<unknown> };
  };
  const query = $client.query.bind($client);
  const held = { running: 0, release: () => {} };
  const gate = new Promise<void>((resolve) => {
    held.release = () => {
      $client.query = query;
      resolve();
    };
  });
  $client.query = async (text, parameters = [], options = {}) => {
    if (JSON.stringify(parameters).includes(parameter)) {
      held.running += 1;
      await gate;
    }
    return query(text, parameters, options);
  };
  return held;
}

describe('one group', () => {
  test('different cursors and orders of variables: each event is executed once', async () => {
    const start = await position();
    const [one] = await opened.append();
    const filter = { resourceKind: 'INSTANCE' };
    const readers = [
      await opened.join(changes, { after: start, filter }),
      await opened.join(changes, { filter, after: one?.cursor }),
      await opened.join(changes, { filter }),
    ];
    await readers[0]?.has(1);
    const appended = [one!];
    const made = await renderingsOf(async () => {
      for (let n = 0; n < 5; n += 1) appended.push(...(await opened.append()));
      await readers[0]?.has(6);
    });
    expect(made).toBe(5);
    await Promise.all(readers.slice(1).map((reader) => reader.has(5)));
    expect(readers.map(({ cursors }) => cursors)).toEqual([
      cursorsOf(appended),
      cursorsOf(appended.slice(1)),
      cursorsOf(appended.slice(1)),
    ]);
    expect(readers[0]?.frames.at(-1)).toBe(readers[2]?.frames.at(-1));
    for (const reader of readers) reader.end();
  });

  test('what only picks differently shares the execution', async () => {
    const readers = [
      await opened.join(changes, { filter: { resourceKind: 'INSTANCE' } }),
      await opened.join(changes, { filter: null }),
      await opened.join(changes, { filter: { instance: ['greenhouse-1'] } }),
      await opened.join(changes, { filter: { resourceKind: 'HOST' } }),
    ];
    const made = await renderingsOf(async () => {
      await opened.append();
      await Promise.all(readers.slice(0, 3).map((reader) => reader.has(1)));
    });
    expect(made).toBe(1);
    expect(readers[3]?.received).toEqual([]);
    for (const reader of readers) reader.end();
  });

  test('a document that is long is not remembered for groups to come', async () => {
    for (const [length, expected] of [
      [10, 1],
      [100_000, 2],
    ] as const) {
      const document = `${changes} # ${'x'.repeat(length)}`;
      const readers = [
        await opened.join(document),
        await opened.join(document, { filter: { resourceKind: 'INSTANCE' } }),
      ];
      const made = await renderingsOf(async () => {
        await opened.append();
        await Promise.all(readers.map((reader) => reader.has(1)));
      });
      expect(made).toBe(expected);
      for (const reader of readers) reader.end();
    }
  });

  test('a thousand documents are remembered, and those of who was refused are none more', async () => {
    const shared = `${changes} # shared`;
    const refused = 'subscription { instanceTransitions(last: 999) { __typename } }';
    const readers = [await opened.join(shared)];
    for (let n = 0; n < 1000; n += 1)
      await expect(opened.join(`${refused} # ${n}`)).rejects.toThrow('takes 1 to 200');
    readers.push(await opened.join(shared, { filter: { resourceKind: 'INSTANCE' } }));
    const made = await renderingsOf(async () => {
      await opened.append();
      await Promise.all(readers.map((reader) => reader.has(1)));
    });
    expect(made).toBe(2);
    for (const reader of readers) reader.end();
  });

  test('a variable that shows something else shares nothing', async () => {
    const document = `subscription ($deep: Boolean!) {
      changes { ... on ResourceChange { kind at @include(if: $deep) } } }`;
    const deep = await opened.join(document, { deep: true });
    const flat = await opened.join(document, { deep: false });
    await opened.append();
    expect(Object.keys((await deep.has(1))[0]!)).toEqual(['kind', 'at']);
    expect(Object.keys((await flat.has(1))[0]!)).toEqual(['kind']);
    deep.end();
    flat.end();
  });

  test('organizations never share, and never see what is the other’s', async () => {
    const organizations = [
      await opened.api.organization('one'),
      await opened.api.organization('two'),
    ];
    const readers = await Promise.all(
      organizations.map((organizationId) => opened.join(changes, {}, { organizationId })),
    );
    const seen: string[][] = [[], []];
    const made = await renderingsOf(async () => {
      for (let n = 0; n < 6; n += 1) {
        const organizationId = organizations[n % 2]!;
        seen[n % 2]?.push(...cursorsOf(await opened.append({ organizationId })));
      }
      await Promise.all(readers.map((reader) => reader.has(3)));
    });
    expect(made).toBe(6);
    expect(readers.map(({ cursors }) => cursors)).toEqual(seen);
    expect(readers[0]?.frames.filter((each) => readers[1]?.frames.includes(each))).toEqual([]);
    // A cursor of another organization is none.
    await expect(
      opened.join(changes, { after: seen[1]?.[0] }, { organizationId: organizations[0] }),
    ).rejects.toMatchObject({ extensions: { code: 'CURSOR_INVALID' } });
    for (const reader of readers) reader.end();
  });

  test('the first may leave, others go on, and read what has to be read', async () => {
    const gone = new AbortController();
    const first = await opened.join(withHost, {}, { signal: gone.signal });
    const second = await opened.join(withHost);
    first.end();
    gone.abort();
    // The database is away when it is read: it is read again, though the first waits no more.
    const { $client } = opened.api.store.database.drizzle as unknown as {
      $client: Record<'query', (text: string, ...rest: unknown[]) => unknown>;
    };
    const { query } = $client;
    let failures = 0;
    $client.query = (text, ...rest) => {
      if (failures > 0 || !text.includes('hosts')) return query(text, ...rest);
      failures += 1;
      return Promise.reject(Object.assign(new Error('away'), { code: 'ECONNREFUSED' }));
    };
    await opened.append({ kind: 'TRANSITION' });
    expect(await second.has(1)).toEqual([{ instance: { host: { key: 'greenhouse-1-host' } } }]);
    expect(failures).toBe(1);
    $client.query = query;
    second.end();
  });
});

describe('coming and lagging', () => {
  test('who joins while a batch is rendered gets nothing twice and loses nothing', async () => {
    const start = await position();
    const first = await opened.join(withHost, { after: start });
    const appended: string[] = [];
    const readers: Reader[] = [first];
    const begins: number[] = [0];
    for (let n = 0; n < 10; n += 1) {
      // Without a pause between: some join before, some while and some after it is rendered.
      const joining = opened.join(withHost, { after: appended.at(-1) ?? start });
      begins.push(appended.length);
      appended.push(...cursorsOf(await opened.append({ kind: 'TRANSITION', count: 3 })));
      const more = opened.join(withHost, { after: appended[appended.length - 2] });
      begins.push(appended.length - 1);
      readers.push(await joining, await more);
    }
    for (const [index, reader] of readers.entries()) {
      await reader.has(appended.length - begins[index]!);
      expect(reader.cursors).toEqual(appended.slice(begins[index]));
    }
    await opened.append({ kind: 'TRANSITION' });
    for (const [index, reader] of readers.entries()) {
      await reader.has(appended.length - begins[index]! + 1);
      expect(new Set(reader.cursors).size).toBe(reader.cursors.length);
      reader.end();
    }
  });

  test.each([
    ['at once', changes, 'UPDATED'],
    ['later', withHost, 'TRANSITION'],
  ] as const)(
    'rendered %s: a full one is written nothing, then all, once',
    async (_, document, kind) => {
      const [full, other] = [await opened.join(document), await opened.join(document)];
      const appended = await opened.append({ kind });
      await full.has(1);
      full.full = true;
      for (let n = 0; n < 4; n += 1) {
        appended.push(...(await opened.append({ kind, count: 5 })));
        // The other is not delayed.
        await other.has(appended.length);
      }
      expect(full.received).toHaveLength(1);
      expect(full.pushedWhileFull).toBe(0);
      full.drain();
      await full.has(21);
      appended.push(...(await opened.append({ kind })));
      await full.has(22);
      expect(full.cursors).toEqual(cursorsOf(appended));
      expect(other.cursors).toEqual(cursorsOf(appended));
      // Live again: the same bytes as the other.
      expect(full.frames.at(-1)).toBe(other.frames.at(-1));
      full.end();
      other.end();
    },
  );

  test.each([
    ['transitions', withHost, 'TRANSITION' as const],
    [
      'other changes',
      `subscription ($after: Cursor) {
        changes(after: $after) { ... on ResourceChange { resource { key } } } }`,
      'UPDATED' as const,
    ],
  ])('what is missed is read together: %s', async (_name, document, kind) => {
    const after = await position();
    const appended: { cursor: string }[] = [];
    for (let n = 0; n < 4; n += 1) appended.push(...(await opened.append({ kind, count: 25 })));
    await settled();
    const statements = await opened.api.statements(async () => {
      const reader = await opened.join(document, { after });
      await reader.has(100);
      expect(reader.cursors).toEqual(cursorsOf(appended));
      reader.end();
    });
    expect(statements.length).toBeGreaterThan(0);
    expect(statements.length).toBeLessThan(6);
  });

  test('one that is full before it has joined is written nothing until it has read', async () => {
    const start = await position();
    const appended = await opened.append({ count: 5 });
    const reader = new Reader();
    reader.full = true;
    await opened.join(changes, { after: start }, { reader });
    appended.push(...(await opened.append()));
    await settled();
    expect(reader.received).toEqual([]);
    reader.drain();
    await reader.has(6);
    expect(reader.cursors).toEqual(cursorsOf(appended));
    reader.end();
  });

  test('a burst goes out in writes of bounded size, between which a full one is left alone', async () => {
    const [full, other] = [await opened.join(changes), await opened.join(changes)];
    full.fullAfter = 1;
    const appended = await opened.append({ count: 900 });
    await other.has(900);
    const sizes = other.frames.map(({ events }) => events.length);
    expect(Math.max(...sizes)).toBeLessThan(128 * 1024);
    expect(full.frames).toHaveLength(1);
    expect(full.pushedWhileFull).toBe(0);
    full.drain();
    await full.has(900);
    expect(full.cursors).toEqual(cursorsOf(appended));
    full.end();
    other.end();
  });

  test('bookmarks come to one that has just joined a quiet group', async () => {
    const document = `subscription ($after: Cursor) { changes(after: $after, bookmarkSeconds: 1) {
      __typename ... on Bookmark { cursor leftOut } } }`;
    const first = await opened.join(document);
    expect(await first.has(1)).toMatchObject([{ __typename: 'Bookmark', leftOut: 0 }]);
    const late = await opened.join(document);
    const [bookmark] = await late.has(1);
    expect(bookmark).toMatchObject({ __typename: 'Bookmark', leftOut: 0 });
    // It can be gone on from.
    const appended = await opened.append();
    const next = await opened.join(document, { after: bookmark?.cursor });
    await next.has(1);
    expect(next.cursors[0]).toBe(appended[0]?.cursor);
    for (const reader of [first, late, next]) reader.end();
  });

  test('the newest of each kind and resource for one that lags, every one for one that does not', async () => {
    const document = `subscription { changes(delivery: LATEST_PER_RESOURCE) {
      __typename ... on ResourceChange { kind } ... on InstanceTransition { to }
      ... on Bookmark { leftOut } } }`;
    const [full, other] = [await opened.join(document), await opened.join(document)];
    full.full = true;
    const [a, b] = [randomUUID(), randomUUID()];
    const appended = [];
    for (let n = 0; n < 5; n += 1) {
      appended.push(...(await opened.append({ resourceId: a })));
      appended.push(...(await opened.append({ resourceId: a, kind: 'DESIRED' })));
      appended.push(...(await opened.append({ resourceId: b, kind: 'TRANSITION' })));
      appended.push(...(await opened.append({ resourceId: b })));
    }
    await other.has(20);
    expect(other.cursors).toEqual(cursorsOf(appended));
    full.drain();
    expect((await full.has(5)).slice(0, 5)).toEqual([
      { __typename: 'ResourceChange', kind: 'UPDATED' },
      { __typename: 'ResourceChange', kind: 'DESIRED' },
      { __typename: 'InstanceTransition', to: 'STARTING_RUNTIME' },
      { __typename: 'ResourceChange', kind: 'UPDATED' },
      { __typename: 'Bookmark', leftOut: 16 },
    ]);
    expect(full.cursors.slice(0, 4)).toEqual(cursorsOf(appended.slice(-4)));
    await opened.append();
    await full.has(6);
    expect(full.received).toHaveLength(6);
    full.end();
    other.end();
  });
});

describe.each(['PGLITE', 'POSTGRES'] as const)('keys that are given later, on %s', (kind) => {
  const keyed = `subscription ($after: Cursor, $filter: ChangeFilter) {
    changes(after: $after, filter: $filter) {
      ... on ResourceChange { kind resource { __typename key } } } }`;
  let its: OpenPipeline;
  beforeAll(async () => {
    its = kind === 'PGLITE' ? opened : await openPipeline(kind);
  });
  afterAll(() => (its === opened ? undefined : its?.close()));

  /** Makes an instance with a host of its own, and edits it. */
  async function create(key: string, api = its.api): Promise<void> {
    const made = await api.ask(
      `mutation ($key: String!, $instance: ID!, $devices: String!, $ref: ID!) {
         createDeviceRepository(input: { key: $devices, name: "Devices", storage: CLOUD }) {
           __typename }
         createInstance(input: { key: $key, name: "Later", solution: "greenhouse",
           subscription: "trial", deviceRepository: $ref, configuration: { container: {
             deploymentType: MANAGED, workingStorage: CLOUD, imageSize: SMALL,
             containerRepository: "runtime" } } }) { __typename ... on UserError { message } }
         updateInstance(input: { instance: $instance, description: "1" }) { __typename } }`,
      { key, instance: key, devices: `${key}-devices`, ref: `${key}-devices` },
    );
    expect(made.createInstance).toEqual({ __typename: 'InstanceSaved' });
    expect(made.updateInstance).toEqual({ __typename: 'InstanceSaved' });
  }

  /** What those who name it are told of it from its creation on. */
  const told = (key: string) => {
    const resource = { __typename: 'Instance', key };
    return [
      { kind: 'CREATED', resource },
      { kind: 'UPDATED', resource },
    ];
  };
  const toldOfHost = (key: string) => [
    { kind: 'CREATED', resource: { __typename: 'Host', key: `${key}-host` } },
  ];
  const start = () => its.feed.position(its.api.organizationId);

  test('told the same from the creation on: who waits, who lags, who catches up', async () => {
    for (const key of ['later-1', 'later-2', 'later-3']) {
      const filter = { instance: [key, 'never'] };
      const after = await start();
      const waiting = await its.join(keyed, { filter });
      const behind = await its.join(keyed, { filter, after });
      behind.full = true;
      const ofHost = await its.join(keyed, { filter: { host: [`${key}-host`] } });
      const ofBoth = await its.join(keyed, {
        filter: { host: [`${key}-host`], instance: [key] },
      });
      // A key of the other kind names nothing.
      const ofNone = await its.join(keyed, { filter: { host: [key], instance: [`${key}-host`] } });
      await create(key);
      // At once: the feed may not have heard of it yet.
      const late = await its.join(keyed, { filter, after });
      const now = await its.join(keyed, { filter });
      expect(await waiting.has(2)).toEqual(told(key));
      expect(await late.has(2)).toEqual(told(key));
      behind.drain();
      expect(await behind.has(2)).toEqual(told(key));
      expect(await ofHost.has(1)).toEqual(toldOfHost(key));
      expect(await ofBoth.has(3)).toEqual([...toldOfHost(key), ...told(key)]);
      const [row] = await its.api.store.database.query<{ id: string }>(
        'select id from instances where key = $1',
        [key],
      );
      const [own] = await its.append({ resourceId: row?.id ?? '' });
      for (const reader of [waiting, late, behind]) {
        await reader.has(3);
        expect(reader.cursors).toEqual(late.cursors);
        expect(reader.cursors.at(-1)).toBe(own?.cursor);
      }
      await now.has(1);
      expect(now.cursors).toEqual([own?.cursor]);
      // Known by now, and not from its creation on.
      const resumed = await its.join(keyed, { filter, after: late.cursors[0] });
      await resumed.has(2);
      expect(resumed.cursors).toEqual(late.cursors.slice(1));
      expect(ofNone.received).toEqual([]);
      const readers = [waiting, behind, ofHost, ofBoth, ofNone, late, now, resumed];
      for (const reader of readers) reader.end();
    }
  });

  test('who joins meanwhile loses nothing and gets nothing twice', async () => {
    const filter = { instance: ['meanwhile'] };
    const after = await start();
    const creating = create('meanwhile');
    const joining: Promise<Reader>[] = [];
    let isMade = false;
    void creating.finally(() => {
      isMade = true;
    });
    while (!isMade) {
      joining.push(its.join(keyed, { filter, after }));
      await setImmediate();
    }
    await creating;
    const readers = await Promise.all(joining);
    for (const reader of readers) expect(await reader.has(2)).toEqual(told('meanwhile'));
    for (const reader of readers) reader.end();
  });

  test('what is known is not looked up again', async () => {
    const filter = { instance: ['greenhouse-1'] };
    const first = await its.join(changes, { filter });
    const statements = await its.api.statements(async () => {
      const second = await its.join(changes, { filter });
      second.end();
    });
    expect(statements.filter((text) => text.includes('instances'))).toEqual([]);
    first.end();
  });

  test.runIf(kind === 'POSTGRES')('the same where another node makes it', async () => {
    const other = await openApi(kind, { databaseUrl: its.api.databaseUrl });
    const filter = { instance: ['elsewhere'] };
    const after = await start();
    const waiting = await its.join(keyed, { filter });
    await create('elsewhere', other);
    const cursor = await other.feed.position(other.organizationId);
    const late = await its.join(keyed, { filter, after });
    expect(await waiting.has(2)).toEqual(told('elsewhere'));
    expect(await late.has(2)).toEqual(told('elsewhere'));
    expect(waiting.cursors).toEqual(late.cursors);
    const resumed = await its.join(keyed, { filter, after: cursor });
    await other.ask(
      'mutation { updateInstance(input: { instance: "elsewhere", description: "2" }) { __typename } }',
    );
    expect(await resumed.has(1)).toEqual(told('elsewhere').slice(1));
    for (const reader of [waiting, late, resumed]) reader.end();
    await other.close();
  });
});

describe('states', () => {
  async function operation(): Promise<{
    id: string;
    set: (phase: string, over?: boolean) => Promise<void>;
  }> {
    const { store } = opened.api;
    const id = await createOperation(store.database, opened.instanceId);
    return {
      id,
      async set(phase, over = false) {
        await store.database.query(
          `update operations set phase = $2 ${over ? ", status = 'CANCELLED', ended_at = now()" : ''}
            where id = $1::uuid`,
          [id, phase],
        );
        await touch(id);
      },
    };
  }

  /** A row of the log that names the operation. */
  async function touch(operationId: string): Promise<void> {
    const { store, organizationId } = opened.api;
    const [row] = await store.database.query<{ revision: number }>(
      `insert into log (organization_id, kind, resource_kind, resource_id, sequence, at, actor, operation_id)
       values ($1::uuid, 'UPDATED', 'INSTANCE', $2::uuid, 1, now(), '{"kind":"USER","name":"t"}', $3::uuid)
       returning revision`,
      [organizationId, opened.instanceId, operationId],
    );
    store.committed({ revision: Number(row?.revision), work: false });
  }

  test('operationUpdates: the present at once, every later one, and the end for all', async () => {
    const its = await operation();
    const document =
      'subscription ($id: ID!) { operationUpdates(operation: $id) { phase status } }';
    const phases = (reader: Reader) => reader.values.map(({ phase }) => phase);
    const first = await opened.join(document, { id: its.id });
    expect(await first.has(1)).toEqual([{ phase: null, status: 'QUEUED' }]);
    await its.set('one');
    await first.has(2);
    const late = await opened.join(document, { id: its.id });
    expect((await late.has(1))[0]).toMatchObject({ phase: 'one' });
    expect(phases(first)).toEqual([null, 'one']);
    await its.set('two');
    await Promise.all([first.has(3), late.has(2)]);
    // One that is full when the last comes gets it once it has read.
    late.full = true;
    await its.set('three', true);
    await first.isEnded();
    expect(phases(first)).toEqual([null, 'one', 'two', null]);
    expect(late.over).toBeNull();
    late.drain();
    await late.isEnded();
    expect(late.values.at(-1)).toEqual({ phase: null, status: 'CANCELLED' });
    expect(phases(late)).toEqual(['one', 'two', null]);
    const after = await opened.join(document, { id: its.id });
    await after.isEnded();
    expect(after.values).toEqual([{ phase: null, status: 'CANCELLED' }]);
  });

  test('operationUpdates: a slow reader is not sent again what it was sent last', async () => {
    const its = await operation();
    const document = 'subscription ($id: ID!) { operationUpdates(operation: $id) { phase } }';
    const [slow, other] = [
      await opened.join(document, { id: its.id }),
      await opened.join(document, { id: its.id }),
    ];
    await its.set('a');
    await Promise.all([slow.has(2), other.has(2)]);
    slow.full = true;
    await its.set('b');
    await other.has(3);
    await its.set('a');
    await other.has(4);
    slow.drain();
    await its.set('c');
    await Promise.all([slow.has(3), other.has(5)]);
    const phases = (reader: Reader) => reader.values.map(({ phase }) => phase);
    expect(phases(other)).toEqual([null, 'a', 'b', 'a', 'c']);
    expect(phases(slow)).toEqual([null, 'a', 'c']);
    for (const reader of [slow, other]) reader.end();
  });

  test('fleet: the present at once, changes for each, nothing because others come', async () => {
    const document = 'subscription { fleet { instanceCount cursor at } }';
    const first = await opened.join(document);
    await first.has(1);
    const late = await Promise.all([opened.join(document), opened.join(document)]);
    await Promise.all(late.map((reader) => reader.has(1)));
    expect(first.received).toHaveLength(1);
    await opened.append();
    await Promise.all([first, ...late].map((reader) => reader.has(2)));
    const { values } = first;
    expect(values[1]?.cursor).toBe(await position());
    expect(values[1]?.cursor).not.toBe(values[0]?.cursor);
    for (const reader of late) expect(reader.values[1]).toEqual(values[1]);
    // One that is full gets the newest state, once.
    late[0]!.full = true;
    await opened.append();
    await first.has(3);
    await opened.append();
    await first.has(4);
    expect(late[0]?.received).toHaveLength(2);
    late[0]?.drain();
    await late[0]?.has(3);
    expect(late[0]?.values.at(-1)).toEqual(first.values.at(-1));
    for (const reader of [first, ...late]) reader.end();
  });

  test('fleet: one count at a time, and the newest state behind it', async () => {
    const document =
      'subscription ($key: String) { fleet(filter: { instances: { text: $key } }) { cursor } }';
    const [slow, other] = [
      await opened.join(document, { key: 'slow' }),
      await opened.join(document, { key: 'other' }),
    ];
    await Promise.all([slow.has(1), other.has(1)]);
    const counts = holdCounts('slow');
    for (const count of [2, 3, 4]) {
      await opened.append();
      await other.has(count);
    }
    expect(counts.running).toBe(1);
    counts.release();
    await slow.has(3);
    expect(slow.values.at(-1)).toEqual(other.values.at(-1));
    expect(slow.received).toHaveLength(3);
    slow.end();
    other.end();
  });

  test('fleet: where the first count fails, it ends with the error, and the next one counts', async () => {
    const { database } = opened.api.store;
    const document = 'subscription { fleet(filter: { hosts: { text: "house" } }) { hostCount } }';
    await database.query('alter table hosts rename to hosts_away');
    const failed = await Promise.all([opened.join(document), opened.join(document)]);
    const internal = { error: { extensions: { code: 'INTERNAL' } } };
    for (const reader of failed) expect(await reader.isEnded()).toMatchObject(internal);
    await database.query('alter table hosts_away rename to hosts');
    const next = await opened.join(document);
    expect(await next.has(1)).toHaveLength(1);
    next.end();
  });

  test('instanceLogs: the tail that was asked for, then every line, also for one that was full', async () => {
    const { store, organizationId } = opened.api;
    const write = async (...texts: string[]) => {
      for (const text of texts)
        await store.database.query(
          `insert into runtime_logs (organization_id, instance_id, run_id, number, at, level, text)
           values ($1::uuid, $2::uuid, $2::uuid, 1, now(), 'INFO', $3)`,
          [organizationId, opened.instanceId, text],
        );
      opened.feed.signal(`logs:${opened.instanceId}`);
    };
    await store.database.query(
      "update instances set working_storage = 'CLOUD' where id = $1::uuid",
      [opened.instanceId],
    );
    const document = `subscription ($tail: Int) { instanceLogs(instance: "greenhouse-1", tail: $tail) { text } }`;
    const texts = (reader: Reader) => reader.values.map(({ text }) => text);
    await write('1', '2', '3');
    const [first, late] = [
      await opened.join(document, { tail: 2 }),
      await opened.join(document, { tail: 2 }),
    ];
    await first.has(2);
    await write('4');
    await Promise.all([first.has(3), late.has(3)]);
    late.full = true;
    await write('5');
    await first.has(4);
    await write('6', '7');
    await first.has(6);
    late.drain();
    await late.has(6);
    await write('8');
    await Promise.all([first.has(7), late.has(7)]);
    expect(texts(first)).toEqual(['2', '3', '4', '5', '6', '7', '8']);
    expect(texts(late)).toEqual(texts(first));
    first.end();
    late.end();
  });

  test('one that is refused joins nothing', async () => {
    const join = (document: string, variables: Data) => opened.join(document, variables);
    await expect(join(changes, { after: 'garbage' })).rejects.toMatchObject({
      extensions: { code: 'CURSOR_INVALID' },
    });
    await expect(
      join('subscription { operationUpdates(operation: "nothing") { phase } }', {}),
    ).rejects.toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  });

  test('another store: who named no cursor is told as well, for what it shows may not be so', async () => {
    const documents = [changes, withHost, 'subscription { fleet { instanceCount cursor } }'];
    const join = () => Promise.all(documents.map((document) => opened.join(document)));
    const shown = await join();
    const before = await position();
    await opened.append({ kind: 'TRANSITION' });
    await Promise.all(shown.map((reader) => reader.has(1)));
    await opened.api.store.database.query('update store_identity set epoch = gen_random_uuid()');
    const told = { error: { extensions: { code: 'CURSOR_INVALID' } } };
    for (const reader of shown) expect(await reader.isEnded()).toMatchObject(told);
    await expect(opened.join(changes, { after: before })).rejects.toMatchObject(told.error);

    // From here on it is a store like any other.
    const again = await join();
    const [appended] = await opened.append({ kind: 'TRANSITION' });
    await Promise.all(again.map((reader) => reader.has(1)));
    expect(again[0]?.cursors).toEqual([appended?.cursor]);
    for (const reader of again) reader.end();
  });
});
