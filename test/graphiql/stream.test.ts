/** What GraphiQL sends for a subscription, and the line that it shows for an event. */
import { parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { loadSchemaSdl } from '../../schema/load.ts';
import { followUpOf } from '../../src/graphiql/panel/follow.ts';
import { type SubscriptionRequest, streamDocumentOf } from '../../src/graphiql/stream/document.ts';
import { lineOf, spoken } from '../../src/graphiql/stream/line.ts';

const { schema } = loadSchemaSdl();

/** What is sent, in one line; it must be valid. */
function sent(query: string, request: Partial<SubscriptionRequest> = {}) {
  const document = streamDocumentOf({ query, ...request }, schema);
  for (const text of [document.query, document.opening])
    if (text) expect(validate(schema, parse(text))).toEqual([]);
  return { ...document, query: document.query.replaceAll(/\s+/g, ' ') };
}

describe('a subscription', () => {
  test('is given a cursor where its field takes one', () => {
    expect(sent('subscription { instanceTransitions { to } }')).toMatchObject({
      query: 'subscription ($after: Cursor) { instanceTransitions(after: $after) { to } }',
      cursorVariable: 'after',
      opening: null,
    });
  });

  test('keeps its own variable for the cursor, and its value', () => {
    const query = 'subscription ($from: Cursor) { t: hostTransitions(after: $from) { to } }';
    expect(sent(query, { variables: { from: 'c' } })).toMatchObject({
      query: 'subscription ($from: Cursor) { t: hostTransitions(after: $from) { to } }',
      cursorVariable: 'from',
      variables: { from: 'c' },
    });
  });

  test('resumes behind a cursor that is written into it', () => {
    expect(sent('subscription { changes(after: "c") { __typename } }')).toMatchObject({
      query: 'subscription ($after: Cursor) { changes(after: $after) { __typename } }',
      variables: { after: 'c' },
    });
  });

  test('begins behind the default of its variable, unless it is to start from now', () => {
    const query = 'subscription ($from: Cursor = "c") { changes(after: $from) { __typename } }';
    expect(sent(query).variables).toEqual({ from: 'c' });
    expect(sent(query, { variables: { from: 'd' } }).variables).toEqual({ from: 'd' });
    expect(sent(query, { variables: { from: null } }).variables).toEqual({});
    expect(sent(query, { variables: { from: 'd' }, fromNow: true }).variables).toEqual({});
    const written = 'subscription { changes(after: "c") { __typename } }';
    expect(sent(written, { fromNow: true })).toMatchObject({
      cursorVariable: 'after',
      variables: {},
    });
  });

  test('begins with past events if it asks for them, unless it has a cursor', () => {
    const query =
      'subscription ($after: Cursor) { instanceTransitions(after: $after, last: 2) { to } }';
    expect(sent(query).opening?.replaceAll(/\s+/g, ' ')).toBe(
      'subscription { instanceTransitions(last: 2) { to } }',
    );
    expect(sent(query, { variables: { after: 'c' } }).opening).toBeNull();
  });

  test('takes another name where `after` is something else', () => {
    const query = 'subscription ($after: ID) { instanceTransitions(instance: $after) { to } }';
    expect(sent(query, { variables: { after: 'greenhouse-1' } })).toMatchObject({
      cursorVariable: 'after_',
      variables: { after: 'greenhouse-1' },
    });
  });

  test('stays as it is where its field takes no cursor', () => {
    expect(sent('subscription { fleet { instanceCount } }').cursorVariable).toBeNull();
  });

  test('is sent alone, with its fragments', () => {
    const { query } = sent(
      'query A { feedPosition } subscription B { ...F } fragment F on Subscription { fleet { hostCount } }',
      { operationName: 'B' },
    );
    expect(query).toBe(
      'subscription B { ...F } fragment F on Subscription { fleet { hostCount } }',
    );
  });
});

describe('a line', () => {
  test.each([
    [{ from: 'A', to: 'B', instance: { id: '1', key: 'g' } }, null, 'g · A → B'],
    [{ fromState: 'A', toState: 'B', actor: { name: 'x' } }, null, 'A → B · actor.name x'],
    [
      { from: 'B', to: 'C', actor: { name: 'x' } },
      { from: 'A', to: 'B', actor: { name: 'x' } },
      'B → C',
    ],
    [{ count: 2, rest: 1 }, { count: 1, rest: 1 }, 'count 1 → 2'],
    [{ cursor: 'b', at: 'now' }, { cursor: 'a', at: 'then' }, ''],
    [{ level: 'WARN', text: 'hot', run: 'r' }, null, 'WARN hot'],
    [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, null, 'a 1 · b 2 · c 3 · d 4 · 2 more'],
    [{ name: 'run 30f7989a-7420-46bd-b668-9dea78c86620' }, null, 'name run 30f7989a…'],
  ])('%j after %j is "%s"', (event, before, line) => {
    expect(spoken(lineOf(event, before))).toBe(line);
  });
});

describe('what follows a query', () => {
  const follow = (query: string, variables = {}, data: object = { feedPosition: 'p' }) => {
    const followUp = followUpOf({ params: { query, variables }, result: { data } });
    if (followUp) expect(validate(schema, parse(followUp.query))).toEqual([]);
    return followUp;
  };

  test.each([
    ['{ feedPosition instance(instance: "g") { state } }', 'instanceTransitions(instance: "g", '],
    ['{ feedPosition hosts { nodes { key } } }', 'hostTransitions('],
    ['{ feedPosition fleet { hostCount } instances { totalCount } }', 'changes('],
    ['{ feedPosition }', 'changes('],
  ])('%s is %s', (query, field) => {
    expect(follow(query)).toMatchObject({ isOwn: false, variables: { after: 'p' } });
    expect(follow(query)?.query).toContain(field);
  });

  test('is the subscription of its own document', () => {
    const query =
      'query A { feedPosition } subscription B($after: Cursor) { changes(after: $after) { __typename } }';
    expect(follow(query, { x: 1 })).toMatchObject({
      ...{ operationName: 'B', isOwn: true, variables: { x: 1, after: 'p' } },
    });
  });

  test('takes the resource of a variable, and nothing without a position', () => {
    const query = 'query ($i: ID!) { feedPosition instance(instance: $i) { state } }';
    expect(follow(query, { i: 'g' })?.query).toContain('instance: "g"');
    expect(follow(query, { i: 'g' }, {})).toBeNull();
  });
});
