/** A group of subscribers while the database goes away under the reads of an event. */
import { afterEach, expect, test, vi } from 'vitest';
import { createSampleData } from '../../src/store/sample-data.ts';
import { eventually } from '../harness/eventually.ts';
import { type Api, openApi } from './api.ts';
import { openStream, testPipeline } from './stream.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** The next so many reads of instances come to this end. */
function endReads(
  api: Api,
  count: number,
  end: (unsafe: (text: string) => unknown) => unknown,
): { readonly ended: number } {
  const { $client } = api.store.database.drizzle as unknown as {
    $client: { unsafe(text: string, ...rest: unknown[]): unknown };
  };
  const unsafe = $client.unsafe.bind($client);
  const told = { ended: 0 };
  $client.unsafe = (text, ...rest) => {
    if (told.ended === count || !text.includes('"instances"')) return unsafe(text, ...rest);
    told.ended += 1;
    return end(unsafe);
  };
  return told;
}

test('the first subscriber has gone: the others get every event all the same', async () => {
  const api = await openApi('POSTGRES');
  await createSampleData(api.store, api.organizationId);
  const pipeline = testPipeline(api.schema, api.context);
  const query = 'subscription { changes { ... on ResourceChange { kind resource { key } } } }';
  const open = () => openStream(pipeline, api.context().viewer, { query });
  const first = await open();
  const second = await open();
  await first.return?.();
  const told = endReads(api, 2, (unsafe) =>
    unsafe('select pg_terminate_backend(pg_backend_pid())'),
  );
  const saved = await api.ask(
    `mutation { updateInstance(input: { instance: "greenhouse-1", name: "Another" }) {
       __typename ... on UserError { message } } }`,
  );
  expect(saved.updateInstance).toEqual({ __typename: 'InstanceSaved' });
  const { value } = await second.next();
  expect(value.changes).toEqual({ kind: 'UPDATED', resource: { key: 'greenhouse-1' } });
  expect(told.ended).toBe(2);
  await second.return?.();
  await api.close();
});

test('a read that is never answered is given up, and the event is delivered all the same', async () => {
  const api = await openApi('POSTGRES');
  await createSampleData(api.store, api.organizationId);
  const query = 'subscription { changes { ... on ResourceChange { kind resource { key } } } }';
  const stream = await openStream(testPipeline(api.schema, api.context), api.context().viewer, {
    query,
  });
  // As a statement on a connection that was cut without a word.
  const told = endReads(api, 2, (unsafe) => unsafe('select pg_sleep(60)'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
  const next = stream.next();
  await api.ask(
    'mutation { updateInstance(input: { instance: "greenhouse-1", name: "Another" }) { __typename } }',
  );
  for (const count of [1, 2]) {
    await eventually(() => expect(told.ended).toBe(count));
    await vi.advanceTimersByTimeAsync(count * 10_000);
  }
  const { value } = await next;
  expect(value.changes).toEqual({ kind: 'UPDATED', resource: { key: 'greenhouse-1' } });
  await stream.return?.();
  await api.store.database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query = 'select pg_sleep(60)' and pid <> pg_backend_pid()",
  );
  await api.close();
});
