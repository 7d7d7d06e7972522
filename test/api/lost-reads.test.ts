/** A group of subscribers while the database goes away under the reads of an event. */
import { expect, test } from 'vitest';
import { createSampleData } from '../../src/store/sample-data.ts';
import { type Api, openApi } from './api.ts';
import { openStream, testPipeline } from './stream.ts';

/** The backends of the next so many reads of instances are ended. */
function endReads(api: Api, count: number): { readonly ended: number } {
  const { $client } = api.store.database.drizzle as unknown as {
    $client: { unsafe(text: string, ...rest: unknown[]): unknown };
  };
  const unsafe = $client.unsafe.bind($client);
  const told = { ended: 0 };
  $client.unsafe = (text, ...rest) => {
    if (told.ended === count || !text.includes('"instances"')) return unsafe(text, ...rest);
    told.ended += 1;
    return unsafe('select pg_terminate_backend(pg_backend_pid())');
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
  const told = endReads(api, 2);
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
