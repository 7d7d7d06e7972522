/** A store that was restored to an older state: the console shows what is in it now, however old that is. */
import { fileURLToPath } from 'node:url';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { retryMilliseconds } from '../../src/console/live/reopen.ts';
import { type Asked, startScripted } from '../client/scripted.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Store {
  readonly epoch: string;
  readonly sequence: number;
  readonly state: string;
}

interface Modules {
  readonly fleet: {
    openFleet(): void;
    fleetRows(): ReadonlyMap<string, { readonly state: string; readonly sequence: number }>;
  };
  readonly resource: {
    watchResource(options: object): {
      readonly detail: { readonly value?: { readonly state: string } | null };
      close(): void;
    };
  };
  readonly connection: {
    readonly client: { query(request: object): Promise<unknown>; dispose(): Promise<void> };
  };
}

/** The console's modules, as a page of this server has them. */
async function openPage(url: string): Promise<Modules> {
  vi.stubGlobal('location', { href: `${url}/` });
  vi.stubGlobal('WebSocket', WebSocket);
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('document', { hidden: false });
  vi.stubGlobal('requestAnimationFrame', setImmediate);
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
    shouldAdvanceTime: true,
  });
  const load = (path: string) =>
    import(fileURLToPath(new URL(`../../src/console/${path}`, import.meta.url)));
  const [fleet, resource, connection] = await Promise.all(
    ['live/fleet.ts', 'resource/live-resource.ts', 'app/connection.ts'].map(load),
  );
  onTestFinished(() => connection.client.dispose());
  return { fleet, resource, connection };
}

test('rows that are older than what is shown replace it, on all pages', async () => {
  let store: Store = { epoch: 'a', sequence: 9, state: 'RUNNING' };
  const streams = new Set<Asked>();
  const instance = (id: string) => ({
    ...{ __typename: 'Instance', id, key: id, name: id, labels: [] },
    ...{ state: store.state, sequence: store.sequence, activeOperation: null, failure: null },
  });
  const page = (ids: readonly string[], hasNextPage = false) => ({
    ...{ nodes: ids.map(instance), totalCount: 2 },
    pageInfo: { hasNextPage, endCursor: ids.at(-1) ?? null },
  });
  const server = await startScripted((asked) => {
    const { query, variables } = asked;
    const feedPosition = store.epoch;
    if (!query.includes('subscription')) {
      let data: object = { feedPosition };
      if (query.includes('query FleetRows'))
        data = { feedPosition, instances: page(['one'], true), hosts: page([]) };
      if (query.includes('query MoreInstances')) data = { page: page(['two']) };
      if (query.includes('detail')) data = { detail: instance('one') };
      asked.next({ data });
      asked.complete();
    } else if (variables?.after === store.epoch) streams.add(asked);
    else asked.error({ message: 'of another log', extensions: { code: 'CURSOR_INVALID' } });
  });
  const { fleet, resource, connection } = await openPage(server.url);
  const options = { kind: 'INSTANCE', key: 'one', query: '{ detail }', dependsOn: () => ({}) };
  const watched = resource.watchResource(options);
  onTestFinished(() => watched.close());
  fleet.openFleet();
  const shown = () => [
    watched.detail.value?.state,
    ...[...fleet.fleetRows().values()].map(({ state, sequence }) => `${state} ${sequence}`),
  ];
  await expect.poll(shown).toEqual(['RUNNING', 'RUNNING 9', 'RUNNING 9']);
  await expect.poll(() => streams.size).toBe(2);

  async function restore(restored: Store, end: (open: readonly Asked[]) => unknown): Promise<void> {
    store = restored;
    const open = [...streams];
    streams.clear();
    await end(open);
    const row = `${store.state} ${store.sequence}`;
    await expect.poll(shown).toEqual([store.state, row, row]);
    await expect.poll(() => streams.size).toBe(2);
  }
  // The connection is cut: the cursors are refused.
  await restore({ epoch: 'b', sequence: 5, state: 'STOPPED' }, ([stream]) => stream?.close(1006));
  // The streams end: they are opened again without a cursor.
  await restore({ epoch: 'c', sequence: 3, state: 'PAUSED' }, async (open) => {
    for (const stream of open) stream.complete();
    // Its answer comes behind the ends.
    await connection.client.query({ query: '{ feedPosition }' });
    vi.advanceTimersByTime(retryMilliseconds / 2);
    // Nobody uses the connection.
    await expect.poll(() => server.open).toBe(0);
    vi.advanceTimersByTime(retryMilliseconds / 2);
  });
});
