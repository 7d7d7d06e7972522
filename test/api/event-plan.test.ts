/**
 * Events are executed by a plan where they are plain: what it answers is what graphql-js answers, and
 * where it gives up graphql-js answers. PLAN_RUNS and PLAN_SEED: more documents, or the same again.
 */
import { execute, type GraphQLObjectType, getOperationAST, parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { rowOf } from '../../src/api/subscription/feed-events.ts';
import { createCursors } from '../../src/feed/channel/cursor.ts';
import { bookmarkAt, eventsOf } from '../../src/feed/channel/event.ts';
import { planEvents } from '../../src/server/execution/event-plan.ts';
import type { Prepared } from '../../src/server/execution/request.ts';
import type { LogRow } from '../../src/store/log/log.ts';
import type { Data } from './api.ts';
import { type OpenPipeline, openPipeline } from './open-pipeline.ts';
import { randomOf } from './random.ts';

const runs = Number(process.env.PLAN_RUNS ?? 500);
const seed = Number(process.env.PLAN_SEED ?? Math.floor(Math.random() * 2 ** 31));

let opened: OpenPipeline;
beforeAll(async () => {
  opened = await openPipeline('PGLITE');
});
afterAll(() => opened?.close());

const organizationId = '0190a000-0000-7000-8000-000000000001';
const cursors = createCursors({ cursorSecret: 'a secret', epoch: 'an epoch' });

function rowsOf(given: Partial<LogRow> = {}) {
  const row: LogRow = {
    ...{ revision: 7, place: 0, organizationId, kind: 'TRANSITION', resourceKind: 'INSTANCE' },
    ...{ resourceId: organizationId, sequence: 3, from: 'RUNNING', to: 'PAUSING' },
    ...{ at: new Date(1_700_000_000_000), operationId: null, causedByOperationId: null },
    ...{ causedByResourceId: null, causedBySequence: null },
    actor: { kind: 'USER', name: 'tester' },
    details: { why: ['"quoted"', { deep: 1 }], none: null },
    ...given,
  };
  return eventsOf([row], cursors).map(rowOf);
}

const events: readonly unknown[] = [
  ...rowsOf(),
  ...rowsOf({ resourceKind: 'HOST', from: 'RUNNING', to: 'OFFLINE' }),
  ...rowsOf({ causedByOperationId: organizationId, actor: { kind: 'SYSTEM', name: 'checks' } }),
  ...rowsOf({ kind: 'UPDATED', from: null, to: null }),
  bookmarkAt({ revision: 9, place: 0 }, 'a cursor', 4),
];

function prepared(query: string, variableValues: Data = {}): Prepared {
  const document = parse(query);
  const operation = getOperationAST(document);
  if (!operation) throw new Error('There is no operation.');
  expect(validate(opened.schema, document)).toEqual([]);
  return { schema: opened.schema, document, operation, variableValues } as Prepared;
}

/** Both answers as JSON; the plan's is null where it gives up. */
async function answers(given: Prepared, rootValue: unknown, plan = planEvents(given)) {
  const contextValue = opened.api.context();
  const data = plan(rootValue, contextValue);
  const executed = await execute({ ...given, rootValue, contextValue });
  return { planned: data && JSON.stringify({ data }), executed: JSON.stringify(executed) };
}

/** A selection of plain fields of a type: aliases, fragments in fragments, directives, doubles. */
function selection(type: string, random: (below: number) => number, depth = 0): string {
  const plain: Record<string, readonly string[]> = {
    Change: ['__typename'],
    Transition: ['id', 'cursor', 'sequence', 'fromState', 'toState', 'at', 'details', 'actor'],
    InstanceTransition: ['id', 'sequence', 'from', 'to', 'actor', 'details', '__typename'],
    HostTransition: ['cursor', 'left: from', 'reached: to', 'fromState', 'at', 'actor'],
    ResourceChange: ['cursor', 'kind', 'at', '__typename'],
    Bookmark: ['cursor', 'leftOut'],
    Actor: ['kind', 'name', '__typename'],
  };
  const within: Record<string, readonly string[]> = {
    Change: ['Transition', 'InstanceTransition', 'HostTransition', 'ResourceChange', 'Bookmark'],
    Transition: ['InstanceTransition', 'HostTransition', 'Transition'],
    InstanceTransition: ['Transition', 'InstanceTransition'],
    HostTransition: ['Transition', 'HostTransition'],
    Actor: ['Actor'],
  };
  const directive = () =>
    ['', '', '', ' @include(if: $yes)', ' @skip(if: $yes)', ' @include(if: true) @skip(if: $no)'][
      random(6)
    ];
  const parts = Array.from({ length: 1 + random(4) }, () => {
    const types = within[type];
    if (types && depth < 3 && random(3) === 0) {
      const inner = types[random(types.length)] ?? type;
      const on = inner === type && random(2) ? '' : ` on ${inner}`;
      return `...${on}${directive()} { ${selection(inner, random, depth + 1)} }`;
    }
    const fields = plain[type] ?? [];
    const field = fields[random(fields.length)] ?? '__typename';
    // An alias for each field of its own, so that nothing conflicts.
    const alias = random(3) === 0 && !field.includes(':') ? `a_${field}_${type}: ` : '';
    const inner = field === 'actor' ? ` { ${selection('Actor', random, 3)} }` : '';
    return `${alias}${field}${directive()}${inner}`;
  });
  return ['__typename', ...parts].join(' ');
}

const head = 'subscription ($yes: Boolean = true, $no: Boolean!)';

describe('the plan of events', () => {
  test(`${runs} documents of plain fields: the same as graphql-js, seed ${seed}`, async () => {
    for (let run = 0; run < runs; run += 1) {
      const random = randomOf(seed + 7919 * run);
      const query = `${head} {
          changes { ${selection('Change', random)} ...Steps ...Steps
            ... @skip(if: $no) @include(if: $yes) { again: __typename } } }
        fragment Steps on Transition { ${selection('Transition', random)} }`;
      const given = prepared(query, { no: false });
      const plan = planEvents(given);
      for (const event of events) {
        const { planned, executed } = await answers(given, event, plan);
        expect(planned, query).toBe(executed);
      }
    }
  });

  test('what has to be read is left to graphql-js, and what is plain beside it is not', async () => {
    const plan = planEvents(
      prepared(`subscription { changes {
        ... on Transition { sequence } ... on ResourceChange { resource { key } } } }`),
    );
    const [plain, , , other] = events;
    for (let time = 0; time < 2; time += 1) {
      expect(plan(other, opened.api.context())).toBeNull();
      expect(plan(plain, opened.api.context())).toEqual({ changes: { sequence: 3 } });
    }
  });

  test('an error, a null where none may be, a key that is no key: graphql-js says it', async () => {
    const broken = { ...rowsOf()[0], sequence: null };
    const strange = { ...rowsOf()[0], resourceKind: 'INSTANCE', instanceTo: 'NO_STATE' };
    const query = 'subscription { instanceTransitions { sequence to } }';
    for (const event of [broken, strange, null]) {
      const { planned, executed } = await answers(prepared(query), event);
      expect(planned).toBeNull();
      expect(executed).toContain('errors');
    }
    const alias = prepared('subscription { changes { __proto__: __typename } }');
    const { planned, executed } = await answers(alias, events[0]);
    expect(planned ?? executed).toBe('{"data":{"changes":{"__proto__":"InstanceTransition"}}}');
  });

  test('what no event has is not planned: a small document may have a great many fields', async () => {
    const level = (at: number) =>
      `fragment L${at} on Operation { a: parent { ...L${at + 1} } b: parent { ...L${at + 1} } }`;
    const levels = Array.from({ length: 12 }, (_, at) => level(at)).join(' ');
    const given = prepared(`subscription { instanceTransitions { sequence operation { ...L0 } } }
      ${levels} fragment L12 on Operation { kind }`);
    const operations = opened.schema.getType('Operation');
    const looked = vi.spyOn(operations as GraphQLObjectType, 'getFields');
    expect(planEvents(given)(events[0], opened.api.context())).toBeNull();
    expect(looked.mock.calls.length).toBeLessThan(10);
    looked.mockRestore();
  });
});
