/** Which tab of GraphiQL is given an answer. */
import { afterEach, expect, test, vi } from 'vitest';
import { createFetcher } from '../../src/graphiql/fetcher.ts';
import { createPageState } from '../../src/graphiql/page-state.ts';
import type { Streams } from '../../src/graphiql/stream/streams.ts';

afterEach(() => vi.unstubAllGlobals());

/** A page whose server answers when the test says so, in any order. */
function page() {
  vi.stubGlobal('requestAnimationFrame', () => 0);
  const waiting: { answer(data: object): void; fail(): void }[] = [];
  vi.stubGlobal(
    'fetch',
    () =>
      new Promise((resolve, reject) => {
        waiting.push({
          answer: (data) => resolve({ json: async () => ({ data }) }),
          fail: () => reject(new Error('The network is away.')),
        });
      }),
  );
  const state = createPageState({} as Streams);
  const fetcher = createFetcher(state);
  /** What GraphiQL is given to write into the tab in front: nothing, or the answer. */
  async function run(tabId: string): Promise<unknown> {
    state.tabId = tabId;
    const given = await fetcher({ query: '{ feedPosition }', variables: {} });
    if (!(typeof given === 'object' && Symbol.asyncIterator in given)) return given;
    for await (const each of given as AsyncIterable<unknown>) return each;
    return undefined;
  }
  return { state, run, waiting };
}

test('the tab in front is given its answer by GraphiQL', async () => {
  const { state, run, waiting } = page();
  const running = run('a');
  waiting[0]?.answer({ n: 1 });
  expect(await running).toEqual({ data: { n: 1 } });
  expect(state.view('a')).toMatchObject({ late: null, answer: { result: { data: { n: 1 } } } });
});

test('an answer that comes while another tab is in front is kept for the tab that asked', async () => {
  const { state, run, waiting } = page();
  const first = run('a');
  const second = run('b');
  waiting[0]?.answer({ n: 1 });
  expect(await first).toBeUndefined();
  expect(JSON.parse(state.view('a').late ?? '')).toEqual({ data: { n: 1 } });
  expect(state.view('b').late).toBeNull();
  state.tabId = 'c';
  waiting[1]?.fail();
  expect(await second).toBeUndefined();
  expect(state.view('b').late).toContain('The network is away.');
});

test('an answer of a tab that asked again is dropped', async () => {
  const { state, run, waiting } = page();
  const first = run('a');
  const second = run('a');
  waiting[1]?.answer({ n: 2 });
  expect(await second).toEqual({ data: { n: 2 } });
  waiting[0]?.answer({ n: 1 });
  expect(await first).toBeUndefined();
  expect(state.view('a').answer?.result).toEqual({ data: { n: 2 } });
});
