import { afterEach, describe, expect, type TestContext, test } from 'vitest';
import { watchRuntime } from '../../src/store/work/checks.ts';
import { eventually } from '../harness/eventually.ts';
import { createFleet, type Fleet, shortDeadlines } from './fleet.ts';

const started = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];
const deployed = [
  'DEPLOYING',
  'CONFIGURING_DNS',
  'DEPLOYING_CONTAINER',
  'STARTING_CONTAINER',
  'RUNNING',
];

const operationOf = async (result: Awaited<ReturnType<Fleet['command']>>) => {
  if (result.outcome !== 'ACCEPTED') throw new Error(JSON.stringify(result));
  return result.operationId;
};
const statusOf = async (fleet: Fleet, id: string) => {
  const [row] = await fleet.store.database.query<{ status: string }>(
    'select status::text from operations where id = $1::uuid',
    [id],
  );
  return row?.status;
};

describe.each(['PGLITE', 'POSTGRES'] as const)('on %s', (kind) => {
  let fleet: Fleet;
  afterEach(() => fleet.close());

  test('one click: host and instance are deployed, paused, resumed, restarted, stopped, removed', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    await fleet.instance('one', 'host');
    const deploy = await operationOf(await fleet.command('DEPLOY', 'one'));
    await fleet.until('one', 'RUNNING');
    await fleet.until('host', 'RUNNING');
    expect(await statusOf(fleet, deploy)).toBe('SUCCEEDED');
    expect(await fleet.history('host')).toEqual(deployed);
    expect(fleet.records.get('host.instances.test')).toMatch(/^127\./);

    await fleet.command('PAUSE', 'one');
    await fleet.until('one', 'PAUSED');
    await fleet.command('RESUME', 'one');
    await fleet.until('one', 'RUNNING');
    const restart = await operationOf(await fleet.command('RESTART', 'one'));
    await eventually(async () => expect(await statusOf(fleet, restart)).toBe('SUCCEEDED'));
    await fleet.command('STOP', 'one');
    await fleet.until('one', 'STOPPED');
    await fleet.hostCommand('REMOVE', 'host');
    await fleet.until('host', 'OFFLINE');
    expect(await fleet.history('one')).toEqual([
      ...started,
      'PAUSING',
      'PAUSED',
      'STARTING',
      'RUNNING',
      'STOPPING',
      'STOPPED',
      ...started,
      'STOPPING',
      'STOPPED',
      'OFFLINE',
    ]);
    expect(fleet.records.size).toBe(0);
    expect(fleet.driver.script.hosts.size).toBe(0);
    const open = await fleet.store.database.query(
      'select 1 from metering_intervals where closed_at is null',
    );
    expect(open).toEqual([]);
    expect(await fleet.store.database.query('select kind from work')).toEqual([]);
  });

  test('a restarted host brings back what wants to run, the paused one without a message', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    for (const key of ['runs', 'paused', 'stopped']) await fleet.instance(key, 'host');
    await fleet.hostCommand('DEPLOY', 'host');
    for (const key of ['runs', 'paused', 'stopped']) await fleet.until(key, 'RUNNING');
    await fleet.command('PAUSE', 'paused');
    await fleet.command('STOP', 'stopped');
    await fleet.until('paused', 'PAUSED');
    await fleet.until('stopped', 'STOPPED');
    await fleet.hostCommand('RESTART', 'host');
    await fleet.until('host', 'RUNNING');
    await fleet.until('runs', 'RUNNING');
    await fleet.until('paused', 'PAUSED');
    expect(await fleet.stateOf('stopped')).toBe('OFFLINE');
    expect((await fleet.history('paused')).slice(-5)).toEqual([
      'OFFLINE',
      'STARTING_RUNTIME',
      'INITIALIZING',
      'STARTING',
      'PAUSED',
    ]);
    expect((await fleet.history('host')).slice(-3)).toEqual([
      'RESTARTING_HOST',
      'STARTING_CONTAINER',
      'RUNNING',
    ]);

    await fleet.hostCommand('RESTART_CONTAINER', 'host');
    await fleet.until('host', 'RUNNING');
    await fleet.until('runs', 'RUNNING');
    await fleet.until('paused', 'PAUSED');
    expect((await fleet.history('runs')).slice(-6)).toEqual(['STOPPING', 'STOPPED', ...started]);
  });

  test('a forced stop in the middle of a restart: it never comes back', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.runtime.complete = (command) =>
      command === 'STOP' ? null : { done: true, message: null };
    fleet.driver.script.obeyStops(false);
    const restart = await operationOf(await fleet.command('RESTART', 'one'));
    expect(await fleet.stateOf('one')).toBe('STOPPING');
    const stop = await operationOf(await fleet.command('FORCE_STOP', 'one'));
    await fleet.until('one', 'STOPPED');
    expect(await statusOf(fleet, restart)).toBe('SUPERSEDED');
    await eventually(async () => expect(await statusOf(fleet, stop)).toBe('SUCCEEDED'));
    const work = await fleet.store.database.query(
      `select kind from work where kind <> 'CHECK_HOST'`,
    );
    expect(work).toEqual([]);
    expect(await fleet.stateOf('one')).toBe('STOPPED');
  });

  test('removed by force while it restarts: all is gone, nothing is stuck', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    await fleet.hostCommand('RESTART', 'host');
    await fleet.hostCommand('FORCE_REMOVE', 'host');
    await fleet.until('host', 'OFFLINE');
    await fleet.until('one', 'OFFLINE');
  });

  test('a runtime that exits is FATAL_ERROR with its cause; a restart recovers', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    const id = await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.driver.script.exitRuntime(id, { exitCode: 137, logTail: 'out of memory' });
    await watchRuntime(fleet.store, id, 0.05);
    await fleet.until('one', 'FATAL_ERROR');
    const [row] = await fleet.store.database.query<{ failure: object }>(
      `select failure from instances where key = 'one'`,
    );
    expect(row?.failure).toMatchObject({
      code: 'RUNTIME_EXITED',
      exitCode: 137,
      logTail: 'out of memory',
    });
    await fleet.command('RESTART', 'one');
    await fleet.until('one', 'RUNNING');
  });

  test('missed heartbeats: RUNNING, reachability UNKNOWN; a heartbeat mends it', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    await fleet.host('host');
    await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    await fleet.store.database.query(
      `update instances set last_seen_at = now() - interval '1 hour'`,
    );
    const reach = () =>
      fleet.store.database
        .query<{ r: string; s: string; b: string }>(
          'select reachability::text r, state::text s, unreachable_because::text b from instances',
        )
        .then(([row]) => row);
    await eventually(async () =>
      expect(await reach()).toEqual({ r: 'UNKNOWN', s: 'RUNNING', b: 'RUNTIME' }),
    );
  });

  test('a host that is silent is FAILED_HEALTH_CHECK, its instances unknown; it recovers', async () => {
    fleet = await createFleet(kind);
    await fleet.startExecutor();
    const hostId = await fleet.host('host');
    await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.driver.script.setHostAnswers(hostId, false);
    await fleet.until('host', 'FAILED_HEALTH_CHECK');
    const [row] = await fleet.store.database.query(
      'select state::text, reachability::text, unreachable_because::text b from instances',
    );
    expect(row).toEqual({ state: 'RUNNING', reachability: 'UNKNOWN', b: 'HOST' });
    expect(await fleet.command('PAUSE', 'one')).toMatchObject({
      outcome: 'REFUSED',
      refusal: { refused: 'HOST_NOT_READY' },
    });
    fleet.driver.script.setHostAnswers(hostId, true);
    await fleet.until('host', 'RUNNING');
  });
});

/** A fleet of one of the tests that run at the same time. */
async function ownFleet(seconds: number, { onTestFinished }: TestContext): Promise<Fleet> {
  const own = await createFleet('POSTGRES', shortDeadlines(seconds));
  onTestFinished(() => own.close());
  await own.startExecutor();
  return own;
}

// They wait most of the time: for a deadline, and at the end for a call that hangs.
describe.concurrent('a black hole settles by each deadline', () => {
  const hostStages = [
    ['allocateHost', 'DEPLOYING', 'FAILED_DEPLOYMENT'],
    ['deployContainer', 'DEPLOYING_CONTAINER', 'FAILED_DEPLOYMENT'],
    ['checkHost', 'STARTING_CONTAINER', 'FAILED_HEALTH_CHECK'],
  ] as const;
  test.for(hostStages)('%s hangs in %s: %s', async ([verb, _stage, to], context) => {
    const fleet = await ownFleet(2, context);
    await fleet.host('host');
    fleet.driver.script.hang(verb);
    const operation = await operationOf(await fleet.hostCommand('DEPLOY', 'host'));
    await fleet.until('host', to, 9);
    expect(await statusOf(fleet, operation)).toBe('TIMED_OUT');
  });

  test('64 hosts whose driver hangs hold up nobody else, nor their own deadlines', async (context) => {
    const fleet = await ownFleet(3, context);
    await fleet.host('well');
    await fleet.instance('one', 'well');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.driver.script.hang('allocateHost');
    for (let n = 0; n < 64; n += 1) {
      await fleet.host(`host-${n}`);
      await fleet.hostCommand('DEPLOY', `host-${n}`);
    }
    await fleet.command('STOP', 'one');
    await fleet.until('one', 'STOPPED', 3);
    for (let n = 0; n < 64; n += 1) await fleet.until(`host-${n}`, 'FAILED_DEPLOYMENT', 8);
  });

  test('restartHost hangs: FAILED_HEALTH_CHECK', async (context) => {
    const fleet = await ownFleet(2, context);
    await fleet.host('host');
    await fleet.hostCommand('DEPLOY', 'host');
    await fleet.until('host', 'RUNNING');
    fleet.driver.script.hang('restartHost');
    await fleet.hostCommand('RESTART', 'host');
    await fleet.until('host', 'FAILED_HEALTH_CHECK', 9);
  });

  test('releaseHost hangs: the removal is TIMED_OUT and may be tried again', async (context) => {
    const fleet = await ownFleet(2, context);
    await fleet.host('host');
    await fleet.hostCommand('DEPLOY', 'host');
    await fleet.until('host', 'RUNNING');
    fleet.driver.script.hang('releaseHost');
    const removal = await operationOf(await fleet.hostCommand('REMOVE', 'host'));
    await eventually(async () => expect(await statusOf(fleet, removal)).toBe('TIMED_OUT'));
    fleet.driver.script.heal('releaseHost');
    await fleet.hostCommand('FORCE_REMOVE', 'host');
    await fleet.until('host', 'OFFLINE');
  });

  const runtimeStages = [
    ['never online', 'STARTING_RUNTIME', 'FAILED_TO_INITIALIZE', null],
    ['never loaded', 'INITIALIZING', 'FAILED_TO_INITIALIZE', 'LOAD_SOLUTION'],
    ['never listening', 'STARTING', 'FAILED_TO_START', 'START_LISTENING'],
    ['never paused', 'PAUSING', 'FATAL_ERROR', 'PAUSE'],
  ] as const;
  test.for(runtimeStages)('a runtime %s (%s): %s', async ([_name, stage, to, silent], context) => {
    const fleet = await ownFleet(2, context);
    await fleet.host('host');
    await fleet.instance('one', 'host');
    fleet.runtime.online = silent !== null;
    fleet.runtime.complete = (command) =>
      command === silent ? null : { done: true, message: null };
    await fleet.command('DEPLOY', 'one');
    if (stage === 'PAUSING') {
      await fleet.until('one', 'RUNNING');
      await fleet.command('PAUSE', 'one');
    }
    await fleet.until('one', to, 9);
    expect((await fleet.history('one')).slice(-2)).toEqual([stage, to]);
    // Entering an error state enqueues a kill: no runtime is left.
    await eventually(() =>
      expect([...fleet.driver.script.runtimes.values()][0]?.observation.state).not.toBe('running'),
    );
  });

  test('a runtime that ignores its stop is killed: STOPPED; a kill that fails: FATAL_ERROR', async (context) => {
    const fleet = await ownFleet(2, context);
    await fleet.host('host');
    await fleet.instance('one', 'host');
    await fleet.command('DEPLOY', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.runtime.complete = (command) =>
      command === 'STOP' ? null : { done: true, message: null };
    fleet.driver.script.obeyStops(false);
    await fleet.command('STOP', 'one');
    await fleet.until('one', 'STOPPED', 9);
    await fleet.command('START', 'one');
    await fleet.until('one', 'RUNNING');
    fleet.driver.script.hang('killRuntime');
    await fleet.command('STOP', 'one');
    await fleet.until('one', 'FATAL_ERROR', 12);
  });
});
