/** Deadlines and checks go on, whatever is under way when a state is left. */
import { afterEach, expect, test } from 'vitest';
import { DriverError } from '../../src/drivers/driver.ts';
import { type Deadlines, defaultDeadlines } from '../../src/lifecycle/change.ts';
import { claim, finish, postpone } from '../../src/store/work/work.ts';
import { registerWorker } from '../../src/store/work/workers.ts';
import { eventually } from '../harness/eventually.ts';
import { createFleet, type Fleet } from './fleet.ts';

let fleet: Fleet;
afterEach(() => fleet.close());

const deadlines = (seconds: Partial<Record<'instance' | 'host', object>>): Deadlines => ({
  ...defaultDeadlines,
  healthCheck: 0.3,
  instance: { ...defaultDeadlines.instance, ...seconds.instance },
  host: { ...defaultDeadlines.host, ...seconds.host },
});

/** One instance, RUNNING on `host`, whose runtime does nothing more that it is told. */
async function deaf(): Promise<void> {
  await fleet.startExecutor();
  await fleet.host('host');
  await fleet.instance('one', 'host');
  await fleet.command('DEPLOY', 'one');
  await fleet.until('one', 'RUNNING');
  await fleet.until('host', 'RUNNING');
  fleet.runtime.complete = () => null;
  fleet.driver.script.obeyStops(false);
}

test('a kill that is refused for the token of a stop beside it is tried again: STOPPED', async () => {
  fleet = await createFleet('POSTGRES', deadlines({ instance: { STOPPING: 0.5 } }));
  await deaf();
  const refusal = new DriverError('FENCED', '2 was seen, so 1 is refused.', { retryable: false });
  fleet.driver.script.fail('killRuntime', refusal, 1);
  await fleet.command('STOP', 'one');
  await eventually(async () => expect(await fleet.stateOf('one')).not.toBe('STOPPING'));
  expect(await fleet.stateOf('one')).toBe('STOPPED');
});

test('a deadline that is at work while a forced stop supersedes it leaves the next one', async () => {
  fleet = await createFleet('POSTGRES');
  await deaf();
  await fleet.executor?.stop();
  const { query } = fleet.store.database;
  const items = () =>
    query<{ sequence: number; held: boolean }>(
      `select sequence, worker is not null as held from work where kind = 'INSTANCE_DEADLINE'`,
    );
  const expire = () =>
    query(`update work set due_at = now() - interval '1 second' where kind = 'INSTANCE_DEADLINE'`);

  await fleet.command('PAUSE', 'one');
  await expire();
  const worker = await registerWorker(fleet.store, 'late');
  const [held] = await claim(fleet.store, worker, {
    drivers: ['PROCESS'],
    groups: [{ kinds: ['INSTANCE_DEADLINE'], driver: null, limit: 1 }],
  });
  if (!held) throw new Error('the deadline of PAUSING was not claimed');
  expect(await fleet.command('FORCE_STOP', 'one')).toMatchObject({ outcome: 'ACCEPTED' });
  const next = [{ sequence: held.sequence + 1, held: false }];
  expect(await items()).toEqual(next);
  await postpone(fleet.store, held, { seconds: 3_600 });
  await finish(fleet.store, [held]);
  expect(await items()).toEqual(next);

  await expire();
  await fleet.startExecutor();
  await fleet.until('one', 'STOPPED');
});

test('a host that its deadline made FAILED_HEALTH_CHECK is checked on, and recovers', async () => {
  fleet = await createFleet('POSTGRES', deadlines({ host: { RESTARTING_HOST: 0.5 } }));
  await fleet.startExecutor();
  const id = await fleet.host('host');
  await fleet.hostCommand('DEPLOY', 'host');
  await fleet.until('host', 'RUNNING');
  const { script } = fleet.driver;
  script.hang('restartHost');
  await fleet.hostCommand('RESTART', 'host');
  script.setHostAnswers(id, false);
  await fleet.until('host', 'FAILED_HEALTH_CHECK');
  const checks = () => script.calls.filter(({ verb }) => verb === 'checkHost').length;
  const before = checks();
  await eventually(() => expect(checks()).toBeGreaterThan(before + 2));
  expect(await fleet.stateOf('host')).toBe('FAILED_HEALTH_CHECK');
  script.setHostAnswers(id, true);
  await fleet.until('host', 'RUNNING');
});
