/** A worker whose statements are not answered, or fail: it registers again, adopts all the same, and stops. */
import { describe, expect, type TestContext, test } from 'vitest';
import type { DnsProvider } from '../../src/drivers/dns/provider.ts';
import { startExecutor } from '../../src/executor/executor.ts';
import { startWorker, type Worker } from '../../src/executor/worker.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { createStore, type Store } from '../../src/store/commit/store.ts';
import type { Parameter } from '../../src/store/database/database.ts';
import { eventually } from '../harness/eventually.ts';
import { openDatabase } from './fleet.ts';

const registering = 'insert into workers';
const adopting = 'CHECK_HOST';

type Meddle = (text: string) => Promise<unknown> | undefined;

/** A store; `meddle` comes between each statement and the database. */
async function openStore({ onTestFinished }: TestContext, meddle: Meddle) {
  const { database, drop } = await openDatabase('POSTGRES');
  onTestFinished(drop);
  const answered: string[] = [];
  const query = async <R extends object>(text: string, parameters?: readonly Parameter[]) => {
    await meddle(text);
    const rows = await database.query<R>(text, parameters);
    answered.push(text);
    return rows;
  };
  return { database, answered, store: createStore({ ...database, query }, defaultDeadlines) };
}

async function openWorker(
  context: TestContext,
  meddle: Meddle,
): Promise<{ store: Store; worker: Worker; answered: string[] }> {
  const { database, answered, store } = await openStore(context, meddle);
  const worker = await startWorker(store, { name: 'test', log: { warn: () => undefined } });
  context.onTestFinished(() => worker.stop());
  return { store: createStore(database, defaultDeadlines), worker, answered };
}

// Most of the time they wait for a time limit.
describe.concurrent('a worker', () => {
  test('what is never answered is not waited for', async (context) => {
    let silent = /^$/;
    let asked: string[] = [];
    const { worker, answered } = await openWorker(context, (text) => {
      asked.push(text);
      return silent.test(text) ? new Promise(() => undefined) : undefined;
    });
    const { id } = worker;
    const has = (texts: () => string[], part: string) =>
      eventually(() => expect(texts().some((text) => text.includes(part))).toBe(true));

    silent = /./;
    asked = [];
    await has(() => asked, registering);
    silent = new RegExp(adopting);
    await has(() => asked, adopting);
    expect(worker.id).toBeGreaterThan(id ?? 0);
    silent = /^$/;
    answered.length = 0;
    await has(() => answered, adopting);
    await eventually(() => expect(worker.id).not.toBeNull());
    expect(worker.signal.aborted).toBe(false);
  });

  test('adopting what a dead worker held is tried until it succeeds', async (context) => {
    let failures = 0;
    const { store, worker, answered } = await openWorker(context, (text) => {
      if (failures === 0 || !text.includes(adopting)) return;
      failures -= 1;
      return Promise.reject(new Error('The connection was lost.'));
    });
    const { id } = worker;
    failures = 2;
    answered.length = 0;
    await store.database.query(
      "insert into workers (id, name) values (nextval('worker_ids'), 'gone')",
    );
    await eventually(() => expect(answered.join()).toContain(adopting));
    expect({ failures, id: worker.id }).toEqual({ failures: 0, id });
  });

  test('an executor stops all the same', async (context) => {
    let silent = /^$/;
    const asked: string[] = [];
    const { database, store } = await openStore(context, (text) => {
      asked.push(text);
      return silent.test(text) ? new Promise(() => undefined) : undefined;
    });
    const warnings: string[] = [];
    const executor = await startExecutor(store, {
      drivers: [],
      dns: {} as DnsProvider,
      endpoint: () => 'ws://127.0.0.1:9/graphql',
      ...{ name: 'test', heartbeatSeconds: 1, settleSeconds: 0 },
      log: { warn: (_details, message) => warnings.push(message), error: () => undefined },
    });
    silent = /last_seen_at|set dead/;
    // It looks for silent runtimes, and gets no answer.
    await eventually(() => expect(asked.join()).toContain('last_seen_at'));
    await executor.stop();
    expect(warnings).toContain('its items could not be released; its lease will expire');
    const [row] = await database.query('select count(*)::int as live from workers where not dead');
    expect(row).toEqual({ live: 1 });
  });

  test('runtimes that say nothing are looked for again', async (context) => {
    let silent = /last_seen_at/;
    let asked = 0;
    const { store } = await openStore(context, (text) => {
      if (text.includes('last_seen_at')) asked += 1;
      return silent.test(text) ? new Promise(() => undefined) : undefined;
    });
    const executor = await startExecutor(store, {
      drivers: [],
      dns: {} as DnsProvider,
      endpoint: () => 'ws://127.0.0.1:9/graphql',
      ...{ name: 'test', heartbeatSeconds: 1, settleSeconds: 0 },
      log: { warn: () => undefined, error: () => undefined },
    });
    context.onTestFinished(() => executor.stop());
    await eventually(() => expect(asked).toBe(1));
    silent = /^$/;
    await eventually(() => expect(asked).toBeGreaterThan(2));
  });
});
