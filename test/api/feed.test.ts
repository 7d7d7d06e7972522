/** Streams of the log: transitions and changes, resumed and filtered, and where they begin. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Data } from './api.ts';
import { type Fleet, openFleet } from './fleet.ts';

const started = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];

describe.each(['PGLITE', 'POSTGRES'] as const)('the feed on %s', (kind) => {
  let fleet: Fleet;
  let beginning = '';
  beforeAll(async () => {
    fleet = await openFleet(kind);
    beginning = (await fleet.ask('{ feedPosition }')).feedPosition;
  });
  afterAll(() => fleet?.close());

  const transitions = (args: string, variables: Data = {}) =>
    fleet.stream(
      `subscription ${args.includes('$after') ? '($after: Cursor)' : ''} { instanceTransitions(${args}) {
         cursor id from to sequence at instance { key state sequence stateSince host { key } }
         actor { kind } operation { kind } } }`,
      variables,
    );

  test('live, in order, as of each transition', async () => {
    const events = await transitions('instance: "greenhouse-1"');
    const first = fleet.take(events, 4);
    await fleet.command('deployInstance', { instance: 'greenhouse-1' });
    const seen = (await first).map(({ instanceTransitions }) => instanceTransitions);
    expect(seen.map(({ to }) => to)).toEqual(started);
    for (const [index, { from, to, instance, sequence, at, operation }] of seen.entries()) {
      expect(instance).toMatchObject({
        key: 'greenhouse-1',
        state: to,
        sequence: index + 1,
        stateSince: at,
        host: { key: 'greenhouse-1-host' },
      });
      expect(sequence).toBe(index + 1);
      expect(from).toBe(['OFFLINE', ...started][index]);
      expect(operation).toEqual({ kind: 'DEPLOY_INSTANCE' });
    }
    await events.return?.();
  });

  test('resumed behind a cursor; the same ids and cursors as in the history', async () => {
    const events = await transitions('after: $after', { after: beginning });
    const all = (await fleet.take(events, 4)).map((event) => event.instanceTransitions);
    expect(all.map(({ to }) => to)).toEqual(started);
    const again = await transitions('after: $after', { after: all[1].cursor });
    const rest = (await fleet.take(again, 2)).map((event) => event.instanceTransitions);
    expect(rest).toEqual(all.slice(2));
    const { instance } = await fleet.ask(
      '{ instance(instance: "greenhouse-1") { history { nodes { id cursor } } } }',
    );
    expect(instance.history.nodes).toEqual(all.map(({ id, cursor }) => ({ id, cursor })));
    const resumed = await transitions('after: $after, last: 1', { after: all[0].cursor });
    expect((await fleet.take(resumed, 3)).map((event) => event.instanceTransitions)).toEqual(
      all.slice(1),
    );
    const newest = await transitions('last: 2');
    expect((await fleet.take(newest, 2)).map((event) => event.instanceTransitions)).toEqual(rest);
  });

  test('filtered', async () => {
    const events = await transitions('after: $after, filter: { to: [RUNNING] }', {
      after: beginning,
    });
    const [event] = await fleet.take(events, 1);
    expect(event?.instanceTransitions.to).toBe('RUNNING');
  });

  test('of hosts', async () => {
    const events = await fleet.stream(
      `subscription { hostTransitions(host: "greenhouse-1-host", last: 5) {
         from to host { key state sequence } causedBy { operation { kind } } operation { kind } } }`,
    );
    const seen = (await fleet.take(events, 5)).map(({ hostTransitions }) => hostTransitions);
    expect(seen.map(({ to }) => to)).toEqual([
      'DEPLOYING',
      'CONFIGURING_DNS',
      'DEPLOYING_CONTAINER',
      'STARTING_CONTAINER',
      'RUNNING',
    ]);
    expect(seen[0]).toMatchObject({
      from: 'OFFLINE',
      host: { key: 'greenhouse-1-host', state: 'DEPLOYING', sequence: 1 },
      operation: { kind: 'DEPLOY_HOST' },
    });
  });

  test('what cannot be followed says so', async () => {
    const failure = async (args: string, variables: Data) =>
      transitions(args, variables).then(
        () => null,
        (error: Data) => error.extensions.code,
      );
    expect(await failure('after: $after', { after: 'garbage' })).toBe('CURSOR_INVALID');
    expect(await failure('after: $after, last: 201', { after: beginning })).toBe('BAD_USER_INPUT');
    expect(await failure('last: 201', {})).toBe('BAD_USER_INPUT');
    expect(await failure('instance: "nobody"', {})).toBe('NOT_FOUND');
  });

  test('changes: everything from the one log, mixed', async () => {
    const document = `subscription ($after: Cursor, $filter: ChangeFilter) {
      changes(after: $after, filter: $filter, bookmarkSeconds: 1) {
        __typename
        ... on Transition { cursor toState resource { key stateName sequence } }
        ... on ResourceChange { cursor kind at resource { key stateName __typename
          ... on Instance { desiredState } ... on Host { size } } }
        ... on Bookmark { cursor } } }`;
    const events = await fleet.stream(document, { after: beginning });
    const seen: Data[] = [];
    for (;;) {
      const [event] = await fleet.take(events, 1);
      if (!event || event.changes.__typename === 'Bookmark') break;
      seen.push(event.changes);
    }
    const count = (type: string) => seen.filter(({ __typename }) => __typename === type).length;
    expect(count('InstanceTransition')).toBe(4);
    expect(count('HostTransition')).toBe(5);
    expect(count('ResourceChange')).toBeGreaterThan(0);
    const last = seen.filter(({ toState }) => toState).at(-1);
    expect(last?.resource).toMatchObject({ stateName: last?.toState });
    const ofHost = await fleet.stream(document, {
      after: beginning,
      filter: { host: ['greenhouse-1-host'] },
    });
    for (const { changes } of await fleet.take(ofHost, 5)) {
      expect(changes.resource.key).toBe('greenhouse-1-host');
    }
  });

  test('query, then subscribe: nothing is missed', async () => {
    const { transitions: history, feedPosition } = await fleet.ask(
      '{ transitions(last: 1) { nodes { cursor } } ...position } fragment position on Query { feedPosition }',
    );
    expect(history.nodes).toHaveLength(1);
    await fleet.command('pauseInstance', { instance: 'greenhouse-1' });
    const events = await transitions('after: $after', { after: feedPosition });
    const seen = await fleet.take(events, 2);
    expect(seen.map(({ instanceTransitions: { to } }) => to)).toEqual(['PAUSING', 'PAUSED']);
  });

  test('a page of transitions with their resources is one statement', async () => {
    const statements = await fleet.statements(() =>
      fleet.ask(`{ transitions { nodes { toState
        ... on InstanceTransition { instance { key state host { key } activeOperation { kind } } }
        ... on HostTransition { host { key state instances { nodes { key } } } } } } }`),
    );
    expect(statements).toHaveLength(1);
  });

  test('the history of the fleet: filtered, ordered, page by page', async () => {
    const page = async (args: string) =>
      (
        await fleet.ask(
          `{ transitions(${args}) { totalCount pageInfo { hasNextPage endCursor }
           nodes { __typename fromState toState resource { key } } } }`,
        )
      ).transitions;
    const first = await page('first: 3');
    expect(first.totalCount).toBe(11);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await page(`first: 200, after: "${first.pageInfo.endCursor}"`);
    expect(second.nodes).toHaveLength(8);
    expect((await page('filter: { resourceKind: HOST }')).totalCount).toBe(5);
    expect((await page('filter: { instance: ["greenhouse-1"] }')).totalCount).toBe(6);
    expect(
      (await page('filter: { instance: ["greenhouse-1"], host: ["greenhouse-1-host"] }'))
        .totalCount,
    ).toBe(11);
    expect((await page('filter: { toState: ["RUNNING"] }')).totalCount).toBe(2);
    expect((await page('filter: { fromState: ["NO_STATE"] }')).totalCount).toBe(0);
    expect((await page('first: 1, orderBy: { field: AT, direction: DESC }')).nodes[0].toState).toBe(
      'PAUSED',
    );
  });
});
