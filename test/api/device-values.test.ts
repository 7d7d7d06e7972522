/** Which value of a field is the last one, whatever the clocks say, and whatever comes again or late. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Parameter } from '../../src/store/database/database.ts';
import { readLastValues } from '../../src/store/read/devices.ts';
import { eventually } from '../harness/eventually.ts';
import { storeKinds } from '../store/stores.ts';
import { type Fleet, openFleet } from './fleet.ts';

interface Run {
  readonly runId: string;
  readonly instanceId: string;
}

interface Value {
  readonly value: unknown;
  readonly at?: string;
  readonly number?: number;
  readonly field?: string;
}

const report = `mutation ($input: ReportDeviceValuesInput!) { reportDeviceValues(input: $input) {
  __typename ... on InvalidInput { issues { path message } }
  ... on RuntimeReportAccepted { limits { valuesPerReport valueBytes } } } }`;
const accepted = { __typename: 'RuntimeReportAccepted' };

describe.each(storeKinds)('%s', (kind) => {
  let fleet: Fleet;
  let key = '';
  let count = 0;
  let run: Run;
  beforeAll(async () => {
    fleet = await openFleet(kind);
  });
  afterAll(() => fleet?.close());
  beforeEach(async () => {
    count += 1;
    key = `values-${count}`;
    await fleet.ask(`mutation {
      createDeviceRepository(input: { key: "${key}", storage: CLOUD }) { __typename }
      createInstance(input: { key: "${key}", solution: "greenhouse", subscription: "trial",
        deviceRepository: "${key}", configuration: { app: {} } }) { __typename } }`);
    await fleet.command('deployInstance', { instance: key });
    run = await nextRun(null);
  });

  async function nextRun(before: string | null): Promise<Run> {
    return await eventually(async () => {
      const [row] = await fleet.store.database.query<Run & Record<string, unknown>>(
        `select id as "instanceId", run_id as "runId" from instances
          where key = $1 and state = 'RUNNING' and run_id is distinct from $2::uuid`,
        [key, before],
      );
      return row ?? Promise.reject(new Error('no run'));
    });
  }

  async function restart(): Promise<Run> {
    await fleet.command('restartInstance', { instance: key });
    return await nextRun(run.runId);
  }

  async function send(of: Run, values: readonly Value[], takenIn?: string) {
    const input = {
      run: of.runId,
      takenIn,
      values: values.map((value) => ({
        ...{ device: 'bed', field: 'temperature', at: '2026-01-01T00:00:00.000Z' },
        ...value,
      })),
    };
    return (await fleet.askAs(of, report, input)).reportDeviceValues;
  }

  async function last(): Promise<Record<string, unknown>> {
    const data = await fleet.ask(
      `{ deviceRepositories(filter: { key: ["${key}"] }) { nodes { devices { nodes {
         lastSeenAt values { value at receivedAt } } } } } }`,
    );
    const [device] = data.deviceRepositories.nodes[0].devices.nodes;
    return { ...device.values[0], lastSeenAt: device.lastSeenAt };
  }

  test('a clock that ran ahead hides nothing of what comes after', async () => {
    const began = new Date(Date.now() - 1_000).toISOString();
    await send(run, [{ value: 20, number: 1, at: '2036-01-01T00:00:00.000Z' }]);
    for (const number of [2, 3, 4]) await send(run, [{ value: 28 + number, number }]);
    const found = await last();
    expect(found).toMatchObject({ value: 32, at: '2026-01-01T00:00:00.000Z' });
    expect(found.lastSeenAt).toBe(found.receivedAt);
    expect(found.receivedAt).toSatisfy((at: string) => at > began && at < '2036');
  });

  test('a report that comes again, or late, changes nothing; in one report the number decides', async () => {
    await send(run, [{ value: 1, number: 1 }]);
    await send(run, [
      { value: 3, number: 3 },
      { value: 2, number: 2 },
    ]);
    expect(await last()).toMatchObject({ value: 3 });
    expect(await send(run, [{ value: 1, number: 1 }])).toMatchObject(accepted);
    expect(await last()).toMatchObject({ value: 3 });
    // A runtime that does not number its values.
    const next = await restart();
    await send(next, [{ value: 4 }, { value: 5 }]);
    await send(next, [{ value: 6 }]);
    expect(await last()).toMatchObject({ value: 6 });
  });

  test('values of an earlier run are taken from a later one, and stand behind its own', async () => {
    const next = await restart();
    expect(await send(run, [{ value: 1, number: 1 }])).toMatchObject({
      __typename: 'RuntimeReportRefused',
    });
    expect(await send(next, [{ value: 1, number: 7 }], run.runId)).toMatchObject(accepted);
    expect(await last()).toMatchObject({ value: 1 });
    await send(next, [{ value: 2, number: 1 }]);
    await send(next, [{ value: 3, number: 8 }], run.runId);
    expect(await last()).toMatchObject({ value: 2 });
    expect(await send(next, [{ value: 3, number: 9 }], next.instanceId)).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: 'takenIn' }],
    });
  });

  test('what a value may be, and the last values of a device, as runs are told', async () => {
    const { limits } = await send(run, [{ value: '"'.repeat(9_000), number: 1 }]);
    expect(limits).toEqual({ valuesPerReport: 500, valueBytes: 65_536 });
    const longest = '\u0001'.repeat(10_000);
    expect(await send(run, [{ value: longest, number: 2 }])).toMatchObject(accepted);
    expect(await last()).toMatchObject({ value: longest });
    for (const [value, number, path] of [
      ['x'.repeat(65_535), 3, 'values.0.value'],
      [1, 0, 'values.0.number'],
      [1, 1.5, 'values.0.number'],
    ] as const) {
      const refused = await send(run, [{ value, number }]);
      expect(refused).toMatchObject({ __typename: 'InvalidInput', issues: [{ path }] });
    }
    await send(run, [{ field: 'humidity', value: 60, number: 3 }]);
    const query = `query ($input: String!) {
      runtimeDeviceValues(device: $input) { field value at } }`;
    const known = await fleet.askAs(run, query, 'bed' as never);
    expect(known.runtimeDeviceValues).toMatchObject([
      { field: 'humidity', value: 60, at: '2026-01-01T00:00:00.000Z' },
      { field: 'temperature', value: longest },
    ]);
    const behind = await fleet.askAs(
      run,
      '{ runtimeDeviceValues(device: "bed", after: "humidity") { field } }',
      {},
    );
    expect(behind.runtimeDeviceValues).toEqual([{ field: 'temperature' }]);
    // A page keeps to the limits of a report, here of 256 KiB.
    for (const number of [4, 5, 6, 7, 8]) {
      await send(run, [{ field: `wide${number}`, value: longest, number }]);
    }
    const page = await fleet.askAs(run, query, 'bed' as never);
    expect(page.runtimeDeviceValues.map(({ field }: { field: string }) => field)).toEqual([
      'humidity',
      'temperature',
      'wide4',
      'wide5',
      'wide6',
    ]);
  });

  test('a page of long values reads no more of them than it returns, and one', async () => {
    const { database } = fleet.store;
    await database.query(
      `insert into device_values (device_repository_id, device, field, value, at)
       select device_repository_id, 'wide', 'field' || n, to_jsonb(repeat(chr(1), 10000)), now()
         from instances, generate_series(1, 100) n where key = $1`,
      [key],
    );
    await database.query('analyze device_values');
    let plan = '';
    const explained = {
      ...database,
      async query<R extends object>(text: string, parameters?: readonly Parameter[]) {
        plan = JSON.stringify(
          await database.query(`explain (analyze, format json) ${text}`, parameters),
        );
        return database.query<R>(text, parameters);
      },
    };
    const page = await readLastValues(
      { database: explained },
      {
        ...{ instanceId: run.instanceId, device: 'wide', after: '' },
        ...{ mostValues: 500, mostBytes: 256 * 1024 },
      },
    );
    expect(page).toHaveLength(4);
    const scans = plan.matchAll(
      /"Relation Name": ?"device_values".*?"Actual Rows": ?([\d.]+),"Actual Loops": ?(\d+)/g,
    );
    const read = [...scans].reduce((sum, [, rows, loops]) => sum + Number(rows) * Number(loops), 0);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThanOrEqual(5);
  });
});
