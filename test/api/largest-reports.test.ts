/** The largest that a runtime may report, and the most that it may read, over its own connection. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Api } from '../../src/runtime/api.ts';
import type { Endpoint, RuntimeCommand } from '../../src/runtime/protocol.ts';
import { eventually } from '../harness/eventually.ts';
import { type Fleet, openFleet } from './fleet.ts';
import { connectRuntime, type Run, startServer } from './runtime-link.ts';

/** Six bytes in JSON. */
const widest = '\u0001';
const maxInt = 2 ** 31 - 1;
const endpoints: Endpoint[] = Array.from({ length: 100 }, (_, n) => ({
  kind: 'MESSAGES',
  name: `${n}`.padEnd(200, widest),
  // The longest protocol is that of a runtime of another make.
  protocol: 'p'.repeat(20) as 'http',
  address: 'abcd:'.repeat(7).concat('abcd'),
  port: 65_535,
  path: '/'.padEnd(500, '~'),
}));

let fleet: Fleet;
let run: Run;
beforeAll(async () => {
  fleet = await openFleet('POSTGRES');
  await fleet.command('deployInstance', { instance: 'greenhouse-1' });
  await fleet.until('greenhouse-1', 'RUNNING');
  const [row] = await fleet.store.database.query<Run & Record<string, unknown>>(
    `select organization_id as "organizationId", id as "instanceId", run_id as "runId"
       from instances where key = 'greenhouse-1'`,
  );
  run = row!;
});
afterAll(() => fleet?.close());

async function connect(onCommand?: (command: RuntimeCommand) => void): Promise<Api> {
  const { url } = await startServer(fleet);
  const api = await connectRuntime(fleet, { url, run }, onCommand);
  await eventually(() => expect(api.limits()).toBeDefined());
  return api;
}

test('a completion with 100 endpoints, and a heartbeat that has counted all it can', async () => {
  fleet.runtime.outcome = () => null;
  const commands: RuntimeCommand[] = [];
  const api = await connect((command) => commands.push(command));
  await fleet.command('pauseInstance', { instance: 'greenhouse-1' });
  await eventually(() => expect(commands).toHaveLength(1));
  const message = widest.repeat(4_000);
  const completion = { outcome: 'DONE', message, endpoints } as const;
  expect(await api.complete(commands[0]?.id ?? '', completion)).toMatchObject({
    __typename: 'RuntimeCommandCompleted',
  });
  const counted = {
    ...{ messagesAccepted: maxInt, messagesRejected: maxInt },
    ...{ inputCommands: maxInt, valuesRefused: maxInt },
  };
  expect(await api.reportHeartbeat(counted)).toMatchObject({
    __typename: 'RuntimeReportAccepted',
  });
  const { instance } = await fleet.ask(
    `{ instance(instance: "greenhouse-1") { state
         endpoints { kind name protocol address port url } } }`,
  );
  expect(instance).toEqual({
    state: 'PAUSED',
    endpoints: endpoints.map(({ path, ...endpoint }) => ({
      ...endpoint,
      url: `${endpoint.protocol}://[${endpoint.address}]:${endpoint.port}${path}`,
    })),
  });
  const [kept] = await fleet.store.database.query(
    `select counters from instances where key = 'greenhouse-1'`,
  );
  expect(kept).toMatchObject({ counters: counted });
});

test('150 values of a device, each of 60 KB', async () => {
  const api = await connect();
  await fleet.store.database.query(
    `insert into device_values (device_repository_id, device, field, value, at)
     select device_repository_id, 'bed', 'field' || n, to_jsonb(repeat(chr(1), 10000)), now()
       from instances, generate_series(1, 150) n where id = $1::uuid`,
    [run.instanceId],
  );
  const values = await api.lastValues('bed');
  expect(new Set(values.map(({ field }) => field)).size).toBe(150);
  for (const { value } of values) expect(value).toBe(widest.repeat(10_000));
});
