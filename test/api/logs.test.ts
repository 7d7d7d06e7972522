/** The lines of an instance's log while several batches of them are written at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Fleet, openFleet } from './fleet.ts';

let fleet: Fleet;
beforeAll(async () => {
  fleet = await openFleet('POSTGRES');
});
afterAll(() => fleet?.close());

test('a batch that commits late is not lost behind one that was sent after it', async () => {
  const { database } = fleet.store;
  await fleet.ask(`mutation {
    createDeviceRepository(input: { key: "devices", storage: CLOUD }) { __typename }
    createInstance(input: { key: "instance", solution: "greenhouse", subscription: "trial",
      deviceRepository: "devices", configuration: { app: {} } }) { __typename } }`);
  await fleet.command('deployInstance', { instance: 'instance' });
  const run = await eventually(async () => {
    const [row] = await database.query<{ runId: string; instanceId: string }>(
      `select id as "instanceId", run_id as "runId" from instances
        where key = 'instance' and run_id is not null`,
    );
    return row ?? Promise.reject(new Error('no run'));
  });
  await database.query("update instances set working_storage = 'CLOUD' where key = 'instance'");
  const report = (text: string) =>
    fleet.askAs(
      run,
      'mutation ($input: ReportLogsInput!) { reportLogs(input: $input) { __typename } }',
      { run: run.runId, lines: [{ at: new Date().toISOString(), level: 'INFO', text }] },
    );
  // The statement that writes `one` has its id, and does not end while the session holds the lock.
  await database.query(`create function wait_for_session() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock(1, 1); return null; end $$`);
  await database.query(`create trigger wait_for_session after insert on runtime_logs
    for each row when (new.text = 'one') execute function wait_for_session()`);
  const session = database.openSession?.();
  await session?.query('select pg_advisory_lock(1, 1)');
  const waiting = async () => {
    const rows = await database.query(
      `select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length;
  };

  const events = await fleet.stream('subscription { instanceLogs(instance: "instance") { text } }');
  const told: string[] = [];
  const reading = (async () => {
    while (told.at(-1) !== 'three') {
      const [{ instanceLogs: line } = expect.unreachable()] = await fleet.take(events, 1);
      told.push(line.text);
    }
  })();
  const first = report('one');
  await eventually(async () => expect(await waiting()).toBe(1));
  const second = report('two');
  await eventually(async () => expect((await waiting()) + told.length).toBe(2));
  session?.close();
  const answers = [await first, await second, await report('three')];
  expect(answers).toEqual(
    answers.map(() => ({ reportLogs: { __typename: 'RuntimeReportAccepted' } })),
  );
  await reading;
  expect(told).toEqual(['one', 'two', 'three']);
  await events.return?.();
});
