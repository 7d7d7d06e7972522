/** Operations: waiting, watching and cancelling; and the runtime's side of the API. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { globalId } from '../../src/api/base/ids.ts';
import { eventually } from '../harness/eventually.ts';
import type { Data } from './api.ts';
import { type Fleet, openFleet } from './fleet.ts';

let fleet: Fleet;
/** Each test has an instance of its own, on a host of its own. */
let key = '';
let count = 0;
beforeAll(async () => {
  fleet = await openFleet('PGLITE');
});
afterAll(() => fleet?.close());
beforeEach(async () => {
  fleet.runtime.outcome = () => 'DONE';
  fleet.driver.script.heal();
  count += 1;
  key = `instance-${count}`;
  await fleet.ask(`mutation {
    createDeviceRepository(input: { key: "${key}-devices", storage: CLOUD }) { __typename }
    createInstance(input: { key: "${key}", solution: "greenhouse", subscription: "trial",
      deviceRepository: "${key}-devices", configuration: { app: {} } }) { __typename } }`);
});

const deploy = () => fleet.command('deployInstance', { instance: key });

describe('operations', () => {
  test('updates come as it goes on and end when it is over', async () => {
    const { operation } = await deploy();
    const updates = await fleet.stream(
      'subscription ($id: ID!) { operationUpdates(operation: $id) { status phase } }',
      { id: operation.id },
    );
    const seen = await fleet.take(updates, 100);
    const statuses = seen.map(({ operationUpdates: { status } }) => status);
    expect(statuses.at(-1)).toBe('SUCCEEDED');
    expect(new Set(statuses).size).toBeGreaterThan(1);
    const over = await fleet.stream(
      'subscription ($id: ID!) { operationUpdates(operation: $id) { status } }',
      { id: operation.id },
    );
    expect(await fleet.take(over, 100)).toEqual([{ operationUpdates: { status: 'SUCCEEDED' } }]);
  });

  test('the phase of a running one is the state of its resource, wherever it is shown', async () => {
    fleet.runtime.outcome = () => null;
    const { operation } = await deploy();
    const shown = await eventually(async () => {
      const { instance } = await fleet.ask(
        `query ($key: ID!) { instance(instance: $key) { state
          activeOperation { status phase resource { key stateName } } operations { nodes { phase } } } }`,
        { key },
      );
      expect(instance).toMatchObject({
        state: 'INITIALIZING',
        activeOperation: { status: 'RUNNING' },
      });
      return instance;
    });
    expect(shown).toMatchObject({
      activeOperation: { phase: 'INITIALIZING', resource: { key, stateName: 'INITIALIZING' } },
      operations: { nodes: [{ phase: 'INITIALIZING' }] },
    });
    const { id } = operation;
    const read = 'query ($id: ID!) { operation(operation: $id) { phase } }';
    expect(await fleet.ask(read, { id })).toEqual({ operation: { phase: 'INITIALIZING' } });
    const updates = await fleet.stream(
      'subscription ($id: ID!) { operationUpdates(operation: $id) { phase resource { key } } }',
      { id },
    );
    expect(await fleet.take(updates, 1)).toEqual([
      { operationUpdates: { phase: 'INITIALIZING', resource: { key } } },
    ]);
  });

  test('one that is not there', async () => {
    const id = globalId('Operation', randomUUID());
    expect(
      await fleet.ask('query ($id: ID!) { operation(operation: $id) { id } }', { id }),
    ).toEqual({ operation: null });
    await expect(
      fleet.stream('subscription ($id: ID!) { operationUpdates(operation: $id) { id } }', { id }),
    ).rejects.toThrow('There is no operation');
    const { errors } = await fleet.answer(
      'query ($id: ID!) { operation(operation: $id, waitSeconds: 61) { id } }',
      { id },
    );
    expect(errors[0]?.code).toBe('BAD_USER_INPUT');
  });

  test('a wait ends with the time, a waiter too many is told', async () => {
    fleet.runtime.outcome = () => null;
    const { operation } = await deploy();
    const wait = 'query ($id: ID!) { operation(operation: $id, waitSeconds: 1) { status } }';
    const began = Date.now();
    const answers = await Promise.all(
      Array.from({ length: 51 }, () => fleet.answer(wait, { id: operation.id })),
    );
    expect(Date.now() - began).toBeGreaterThan(900);
    const refused = answers.filter(({ errors }) => errors.length > 0);
    expect(refused.map(({ errors }) => errors[0]?.code)).toEqual(['RATE_LIMITED']);
    const { data } = await fleet.answer(wait, { id: operation.id });
    expect(['QUEUED', 'RUNNING']).toContain(data.operation.status);
  });

  test('cancelling one that waits for its host; not one that has begun', async () => {
    fleet.driver.script.hang('allocateHost');
    const { operation } = await deploy();
    const cancel = (id: string) =>
      fleet.ask(
        `mutation ($id: ID!) { cancelOperation(input: { operation: $id }) { __typename
           ... on OperationCancelled { operation { status endedAt } }
           ... on OperationCommandRefused { code message operation { kind } } } }`,
        { id },
      );
    const { operations } = await fleet.ask(
      `{ operations(filter: { active: true, kind: [DEPLOY_HOST], host: ["${key}-host"] }) { nodes { id cancellable } } }`,
    );
    expect(operations.nodes).toMatchObject([{ cancellable: false }]);
    expect((await cancel(operations.nodes[0].id)).cancelOperation).toMatchObject({
      __typename: 'OperationCommandRefused',
      code: 'NOT_CANCELLABLE',
      operation: { kind: 'DEPLOY_HOST' },
    });
    expect((await cancel(operation.id)).cancelOperation).toMatchObject({
      __typename: 'OperationCancelled',
      operation: { status: 'CANCELLED', endedAt: expect.any(String) },
    });
    expect((await cancel(operation.id)).cancelOperation.code).toBe('NOT_CANCELLABLE');
  });
});

describe('the runtime', () => {
  const runOf = async () => {
    const [row] = await fleet.store.database.query<{ runId: string; instanceId: string }>(
      'select id as "instanceId", run_id as "runId" from instances where key = $1',
      [key],
    );
    if (!row) throw new Error('no run');
    return row;
  };
  const report = (run: { runId: string; instanceId: string }, name: string, input: Data) => {
    const field = `${name[0]?.toLowerCase()}${name.slice(1)}`;
    return fleet
      .askAs(
        run,
        `mutation ($input: ${name}Input!) { ${field}(input: $input) { __typename
           ... on UserError { code } ... on InvalidInput { issues { path } }
           ... on RuntimeReportAccepted { instance { key lastSeenAt } } } }`,
        input,
      )
      .then((data) => data[field]);
  };

  test('reports of its own run count, those of another never', async () => {
    await deploy();
    await fleet.until(key, 'RUNNING');
    const run = await runOf();
    expect(
      await report(run, 'ReportRuntime', {
        run: run.runId,
        report: 'HEARTBEAT',
        counters: { messagesAccepted: 3, messagesRejected: 0, inputCommands: 1 },
      }),
    ).toMatchObject({ __typename: 'RuntimeReportAccepted', instance: { key } });
    const other = randomUUID();
    expect(await report(run, 'ReportRuntime', { run: other, report: 'FAULT' })).toMatchObject({
      __typename: 'RuntimeReportRefused',
      code: 'STALE_REPORT',
    });
    expect(
      await report({ ...run, runId: other }, 'ReportRuntime', { run: other, report: 'FAULT' }),
    ).toMatchObject({ __typename: 'RuntimeReportRefused', code: 'STALE_REPORT' });
    const { errors } = await fleet.answer(
      `mutation { reportRuntime(input: { run: "${run.runId}", report: FAULT }) { __typename } }`,
    );
    expect(errors[0]?.code).toBe('FORBIDDEN');
    await expect(fleet.stream('subscription { runtimeCommands { id } }')).rejects.toThrow(
      'This is for runtimes',
    );
    await fleet.until(key, 'RUNNING');
  });

  test('open commands come again, whole and in order, after a reconnect', async () => {
    fleet.runtime.outcome = (kind) => (kind === 'PAUSE' ? null : 'DONE');
    await deploy();
    await fleet.until(key, 'RUNNING');
    await fleet.command('pauseInstance', { instance: key });
    const run = await runOf();
    const viewer = { kind: 'RUN', ...run, organizationId: fleet.organizationId } as const;
    const context = {
      ...fleet.context(),
      viewer: { ...viewer, accessKeyId: 'key', name: 'run' },
    };
    const document = 'subscription { runtimeCommands { id kind run payload } }';
    const first = await fleet.stream(document, {}, context);
    const [pause] = await fleet.take(first, 1);
    expect(pause).toMatchObject({ runtimeCommands: { kind: 'PAUSE', run: run.runId } });
    const checks = () =>
      fleet.driver.script.calls.filter(({ verb }) => verb === 'inspectRuntime').length;
    const before = checks();
    await first.return?.();
    await eventually(() => expect(checks()).toBeGreaterThan(before));
    const second = await fleet.stream(document, {}, context);
    expect(await fleet.take(second, 1)).toEqual([pause]);
    const completion = { command: pause?.runtimeCommands.id, run: run.runId, outcome: 'DONE' };
    const done = { __typename: 'RuntimeCommandCompleted' };
    expect(await report(run, 'CompleteRuntimeCommand', completion)).toEqual(done);
    expect(await report(run, 'CompleteRuntimeCommand', completion)).toEqual(done);
    expect(
      await report(run, 'CompleteRuntimeCommand', { ...completion, command: randomUUID() }),
    ).toMatchObject({ __typename: 'ResourceNotFound' });
    await fleet.until(key, 'PAUSED');
  });

  test('device values and log lines are kept, impossible ones are refused', async () => {
    await deploy();
    await fleet.until(key, 'RUNNING');
    const run = await runOf();
    const at = new Date().toISOString();
    const values = [{ device: 'd1', field: 'temperature', value: 21.5, at }];
    expect(await report(run, 'ReportDeviceValues', { run: run.runId, values })).toMatchObject({
      __typename: 'RuntimeReportAccepted',
    });
    const { deviceRepository } = await fleet.ask(
      `{ deviceRepository(deviceRepository: "${key}-devices") { devices { nodes { name values { field value } } } } }`,
    );
    expect(deviceRepository.devices.nodes).toEqual([
      { name: 'd1', values: [{ field: 'temperature', value: 21.5 }] },
    ]);
    expect(
      await report(run, 'ReportDeviceValues', {
        run: run.runId,
        values: [{ device: '', field: 'a\0', value: { deep: '\ud800' }, at }],
      }),
    ).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: 'values.0.field' }, { path: 'values.0.value.deep' }],
    });
    expect(
      await report(run, 'ReportDeviceValues', {
        run: run.runId,
        values: [{ device: '', field: 'a', value: 1, at }],
      }),
    ).toMatchObject({ __typename: 'InvalidInput', issues: [{ path: 'values.0.device' }] });

    const lines = (...texts: string[]) =>
      report(run, 'ReportLogs', {
        run: run.runId,
        lines: texts.map((text) => ({ at, level: 'INFO', text })),
      });
    await fleet.store.database.query(
      "update instances set working_storage = 'CLOUD' where key = $1",
      [key],
    );
    await lines('one', 'two', 'three');
    const events = await fleet.stream(
      `subscription { instanceLogs(instance: "${key}", tail: 2) { text level run } }`,
    );
    expect(await fleet.take(events, 2)).toMatchObject([
      { instanceLogs: { text: 'two', level: 'INFO', run: run.runId } },
      { instanceLogs: { text: 'three' } },
    ]);
    const next = events.next();
    await lines('four');
    expect(await next).toMatchObject({ value: { instanceLogs: { text: 'four' } } });
    const waiting = events.next();
    await events.return?.();
    expect(await waiting).toMatchObject({ done: true });
  });

  test('who goes while nothing comes is gone at once', async () => {
    const events = await fleet.stream('subscription { instanceTransitions { toState } }');
    const waiting = events.next();
    await events.return?.();
    await eventually(async () => expect(await waiting).toMatchObject({ done: true }));
  });
});
