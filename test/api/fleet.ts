/** The API over the sample data and an executor; runtimes are played through the API itself. */
import { randomUUID } from 'node:crypto';
import { execute, parse } from 'graphql';
import { expect } from 'vitest';
import type { Context } from '../../src/api/base/context.ts';
import type { DnsProvider } from '../../src/drivers/dns/provider.ts';
import { type Executor, startExecutor } from '../../src/executor/executor.ts';
import { findDnsRecord, removeDnsRecord, saveDnsRecord } from '../../src/store/dns-records.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import type { ScriptedRuntime } from '../drivers/script.ts';
import { createScriptedDriver } from '../drivers/scripted.ts';
import { eventually } from '../harness/eventually.ts';
import { type Api, type Data, openApi, type StoreKind } from './api.ts';
import { openStream, testPipeline } from './stream.ts';

export interface RuntimeScript {
  /** Null: the command is never answered. */
  outcome: (kind: string) => 'DONE' | 'FAILED' | null;
}

export interface Fleet extends Api {
  readonly driver: ReturnType<typeof createScriptedDriver>;
  readonly runtime: RuntimeScript;
  executor: Executor;
  /** Starts another one, when that has been stopped. */
  restartExecutor(): Promise<void>;
  /** Asks as the runtime of a run. */
  askAs(run: { runId: string; instanceId: string }, document: string, input: Data): Promise<Data>;
  /** Events of a subscription. */
  stream(document: string, variables?: Data, context?: Context): Promise<AsyncIterator<Data>>;
  /** The next so many. */
  take(events: AsyncIterator<Data>, count: number): Promise<Data[]>;
  command(field: string, input: Data): Promise<Data>;
  until(key: string, state: string): Promise<void>;
}

const accepted = `... on InstanceCommandAccepted { instance { key state sequence } operation { id kind status } }
  ... on InstanceCommandRefused { action from sequence allowedActions }`;
const acceptedByHost = `... on HostCommandAccepted { host { key state sequence } operation { id kind status } }
  ... on HostCommandRefused { action from sequence allowedActions }`;

/** Opens the fleet; the sample data's instance is `greenhouse-1`, its host `greenhouse-1-host`. */
export async function openFleet(kind: StoreKind): Promise<Fleet> {
  const api = await openApi(kind);
  await createSampleData(api.store, api.organizationId);
  const driver = createScriptedDriver();
  const runtime: RuntimeScript = { outcome: () => 'DONE' };
  const dns: DnsProvider = {
    kind: 'TEST',
    publish: (record) => saveDnsRecord(api.store, record),
    withdraw: (name) => removeDnsRecord(api.store, name),
    resolve: async (name) => {
      const addresses = [(await findDnsRecord(api.store, name))?.address ?? []].flat();
      return [{ server: 'test', addresses }];
    },
  };
  const start = () =>
    startExecutor(api.store, {
      drivers: [driver],
      dns,
      endpoint: () => 'ws://127.0.0.1:1/graphql',
      name: 'test',
      heartbeatSeconds: 1,
      settleSeconds: 0,
      log: { warn: () => undefined, error: (details) => console.error(details) },
    });
  const players: Promise<unknown>[] = [];
  const streams = new Set<AsyncIterator<unknown>>();
  let isClosed = false;

  const runContext = ({ runId, instanceId }: { runId: string; instanceId: string }): Context => ({
    ...api.context(),
    viewer: {
      kind: 'RUN',
      organizationId: api.organizationId,
      accessKeyId: randomUUID(),
      name: 'run',
      runId,
      instanceId,
    },
  });

  const fleet: Fleet = {
    ...api,
    driver,
    runtime,
    executor: await start(),
    async restartExecutor() {
      fleet.executor = await start();
    },
    async askAs(run, document, input) {
      const { data, errors } = await execute({
        schema: api.schema,
        document: parse(document),
        contextValue: runContext(run),
        variableValues: { input },
      });
      if (errors) throw new Error(errors.join('\n'));
      return data as Data;
    },
    async stream(text, variableValues = {}, contextValue = api.context()) {
      const pipeline = testPipeline(api.schema, () => contextValue);
      const request = { query: text, variables: variableValues };
      const source = await openStream(pipeline, contextValue.viewer, request);
      streams.add(source);
      // Of a runtime that was started while the fleet was closing.
      if (isClosed) await source.return?.();
      return source;
    },
    async take(events, count) {
      const taken: Data[] = [];
      while (taken.length < count) {
        const { done, value } = await events.next();
        if (done) break;
        taken.push(value);
      }
      return taken;
    },
    async command(field, input) {
      const name = `${field[0]?.toUpperCase()}${field.slice(1)}`;
      const ofHost = 'host' in input;
      const data = await api.ask(
        `mutation ($input: ${name}Input!) { ${field}(input: $input) {
           __typename ${ofHost ? acceptedByHost : accepted}
           ... on UserError { code message }
           ... on CommandRefused { retryable blockedBy { key stateName } }
           ... on CommandRefused { operation { kind } }
           ... on InvalidInput { issues { path message } }
           ... on Conflict { currentSequence } } }`,
        { input },
      );
      return data[field];
    },
    until: (key, state) =>
      eventually(async () => {
        const [row] = await api.store.database.query<{ state: string }>(
          `select state::text from instances where key = $1
             union all select state::text from hosts where key = $1`,
          [key],
        );
        expect(row?.state).toBe(state);
      }),
    async close() {
      isClosed = true;
      for (const source of streams) await source.return?.();
      await fleet.executor.stop();
      await Promise.allSettled(players);
      await driver.close();
      await api.close();
    },
  };
  driver.script.onStarted((started) => {
    players.push(play(fleet, started, runContext).catch(() => undefined));
  });
  return fleet;
}

const endpoints = [
  {
    kind: 'MESSAGES',
    name: 'http',
    protocol: 'http',
    address: '127.0.4.7',
    port: 9000,
    path: '/in',
  },
];

/** A runtime: reports that it is up, takes its commands, ends on STOP. */
async function play(
  fleet: Fleet,
  { request: { runId, instanceId } }: ScriptedRuntime,
  contextOf: (run: { runId: string; instanceId: string }) => Context,
): Promise<void> {
  const run = { runId, instanceId };
  const commands = await fleet.stream(
    'subscription { runtimeCommands { id kind run payload } }',
    {},
    contextOf(run),
  );
  await fleet.askAs(
    run,
    `mutation ($input: ReportRuntimeInput!) { reportRuntime(input: $input) { __typename } }`,
    { run: runId, report: 'ONLINE' },
  );
  for (;;) {
    const { done, value } = await commands.next();
    if (done) return;
    const { id, kind } = value.runtimeCommands;
    const outcome = fleet.runtime.outcome(kind);
    if (!outcome) continue;
    await fleet.askAs(
      run,
      `mutation ($input: CompleteRuntimeCommandInput!) {
         completeRuntimeCommand(input: $input) { __typename }
       }`,
      {
        command: id,
        run: runId,
        outcome,
        message: outcome === 'FAILED' ? 'The port is taken.' : null,
        ...(kind === 'STOP' || kind === 'LOAD_SOLUTION' ? {} : { endpoints }),
      },
    );
    if (kind === 'STOP') {
      await commands.return?.();
      fleet.driver.script.exitRuntime(instanceId, { exitCode: 0 });
    }
  }
}
