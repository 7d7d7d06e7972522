/** What the API shows of resources whose old transitions are deleted, and what streams are told. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFeed, type Feed } from '../../src/feed/feed.ts';
import { startRetention } from '../../src/store/log/retention.ts';
import type { Data } from './api.ts';
import { type Fleet, openFleet } from './fleet.ts';

const day = 86_400_000;
const tables = ['log.at', 'instances.created_at', 'hosts.created_at', 'dns_records.updated_at'];
const resources = `{
  instance(instance: "greenhouse-1") {
    id state stateSince stateName sequence desiredState converged reachability allowedActions version
    failure { code message stage exitCode at operation { id } } activeOperation { id }
    operations { nodes { id kind status startedAt endedAt } }
    run { id startedAt } host { key state stateSince } endpoints { url } createdAt
  }
  host(host: "greenhouse-1-host") {
    id state stateSince sequence failedStage billedSince dnsRecord { address confirmedAt } allowedActions
    failure { code } operations { nodes { id kind status startedAt endedAt } }
  }
  fleet { instancesByState { state count } hostsByState { state count } convergedCount }
  operations { totalCount }
}`;

describe.each(['PGLITE', 'POSTGRES'] as const)('30 days are kept, on %s', (kind) => {
  let fleet: Fleet;
  let other: Feed;
  let beginning = '';
  let live: AsyncIterator<Data>;
  beforeAll(async () => {
    fleet = await openFleet(kind);
    beginning = (await fleet.ask('{ feedPosition }')).feedPosition;
    live = await fleet.stream(
      'subscription { instanceTransitions(instance: "greenhouse-1") { to sequence cursor } }',
    );
  });
  afterAll(async () => {
    await other?.stop();
    await fleet?.close();
  });

  /** The next transitions of the stream that lives through it all: states and their sequences. */
  const seen = async (count: number) =>
    (await fleet.take(live, count)).map(({ instanceTransitions: { to, sequence } }) => [
      to,
      sequence,
    ]);

  /** Everything there is becomes older. */
  async function age(days: number): Promise<void> {
    for (const table of tables) {
      const [name, column] = table.split('.');
      await fleet.store.database.query(
        `update ${name} set ${column} = ${column} - make_interval(secs => $1::float8)`,
        [days * 86_400],
      );
    }
  }

  async function prune(days = 30): Promise<void> {
    const warnings: string[] = [];
    await fleet.feed.position(fleet.organizationId); // Has read what is going.
    const retention = startRetention(fleet.store.database, {
      days,
      warn: (text) => warnings.push(text),
    });
    await retention.look();
    await retention.stop();
    expect(warnings).toEqual([]);
  }

  const history = async (): Promise<Data[]> =>
    (
      await fleet.ask(`{ instance(instance: "greenhouse-1") { history { totalCount nodes {
        cursor sequence from to at operation { kind } instance { state } causedBy { operation { kind } transition { toState } } } } } }`)
    ).instance.history.nodes;

  const stateAt = async (daysAgo: number): Promise<string | null> =>
    (
      await fleet.ask(
        `query ($time: DateTime!) { instance(instance: "greenhouse-1") { stateAt(time: $time) } }`,
        { time: new Date(Date.now() - daysAgo * day).toISOString() },
      )
    ).instance.stateAt;

  test('all of it pruned: the resources are as they were', async () => {
    await fleet.command('deployInstance', { instance: 'greenhouse-1' });
    await fleet.until('greenhouse-1', 'RUNNING');
    expect(await seen(4)).toEqual([
      ['STARTING_RUNTIME', 1],
      ['INITIALIZING', 2],
      ['STARTING', 3],
      ['RUNNING', 4],
    ]);
    await age(40);
    const before = await fleet.ask(resources);
    expect(before.host.dnsRecord.confirmedAt).toEqual(expect.any(String));
    expect(await stateAt(41)).toBe(null);
    await fleet.store.database.query(
      `update instances set created_at = created_at - interval '10 days'`,
    );
    expect(await stateAt(45)).toBe('OFFLINE');
    expect(await history()).toHaveLength(4);
    await prune();
    expect(await history()).toEqual([]);
    expect((await fleet.ask('{ transitions { totalCount } }')).transitions.totalCount).toBe(0);
    const { createdAt: _, ...instance } = before.instance;
    expect(await fleet.ask(resources)).toMatchObject({ ...before, instance });
    // Known no more; then the present state, which began after all that is gone.
    expect(await stateAt(45)).toBe(null);
    expect(await stateAt(20)).toBe('RUNNING');
    expect(await stateAt(0)).toBe('RUNNING');
  });

  test('what comes then goes on from there, also for who was there all the time', async () => {
    await fleet.command('pauseInstance', { instance: 'greenhouse-1' });
    await fleet.until('greenhouse-1', 'PAUSED');
    expect(await seen(2)).toEqual([
      ['PAUSING', 5],
      ['PAUSED', 6],
    ]);
    expect((await history()).map(({ from, to }) => `${from} ${to}`)).toEqual([
      'RUNNING PAUSING',
      'PAUSING PAUSED',
    ]);
    expect(await stateAt(45)).toBe(null);
    expect(await stateAt(20)).toBe('RUNNING');
    expect(await stateAt(0)).toBe('PAUSED');
  });

  test('an old cursor is expired, and the oldest one goes on without an error', async () => {
    // Another node, which has nothing in memory.
    other = createFeed(fleet.store, { ringBytes: 0 });
    await other.start();
    const context = { ...fleet.context(), feed: other };
    const document = `subscription ($after: Cursor) {
      instanceTransitions(after: $after) { to sequence operation { kind } } }`;
    const error = await fleet.stream(document, { after: beginning }, context).then(
      () => null,
      (thrown: Data) => thrown,
    );
    expect(error).toMatchObject({
      message: expect.stringContaining('oldestCursor'),
      extensions: { code: 'CURSOR_EXPIRED', oldestCursor: expect.any(String) },
    });
    const after = error?.extensions.oldestCursor;
    const events = await fleet.stream(document, { after }, context);
    expect(await fleet.take(events, 2)).toEqual([
      {
        instanceTransitions: { to: 'PAUSING', sequence: 5, operation: { kind: 'PAUSE_INSTANCE' } },
      },
      { instanceTransitions: { to: 'PAUSED', sequence: 6, operation: { kind: 'PAUSE_INSTANCE' } } },
    ]);
    await events.return?.();
  });

  test('a cause and a failure outlive the transitions that they name', async () => {
    const [row] = await fleet.store.database.query<{ id: string }>(
      `select id from instances where key = 'greenhouse-1'`,
    );
    const id = row?.id ?? '';
    fleet.driver.script.exitRuntime(id, { exitCode: 7 });
    await fleet.until('greenhouse-1', 'FATAL_ERROR');
    const failure = async () =>
      (
        await fleet.ask(`{ instance(instance: "greenhouse-1") {
          failure { code message exitCode at stage transition { toState } operation { id } } } }`)
      ).instance.failure;
    const before = await failure();
    expect(before).toMatchObject({ exitCode: 7, transition: { toState: 'FATAL_ERROR' } });
    await prune(1e-9);
    expect(await history()).toEqual([]);
    expect(await failure()).toEqual({ ...before, transition: null });

    await fleet.command('restartInstance', { instance: 'greenhouse-1' });
    await fleet.until('greenhouse-1', 'RUNNING');
    await fleet.store.database.query(
      `update log set caused_by_resource_id = resource_id, caused_by_sequence = 7,
              caused_by_operation_id = operation_id
        where resource_id = $1::uuid and sequence = 8 and kind = 'TRANSITION'`,
      [id],
    );
    expect((await history())[0]).toMatchObject({
      sequence: 8,
      from: 'FATAL_ERROR',
      causedBy: { operation: { kind: 'RESTART_INSTANCE' }, transition: null },
    });
    expect(await seen(2)).toEqual([
      ['FATAL_ERROR', 7],
      ['STARTING_RUNTIME', 8],
    ]);
  });
});
