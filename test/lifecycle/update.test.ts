/** The update of a runtime, step by step. The rules: docs/lifecycle.md, "Updating a runtime". */
import { describe, expect, test } from 'vitest';
import type { Change, Snapshot } from '../../src/lifecycle/change.ts';
import type { InstanceState } from '../../src/lifecycle/instance.ts';
import { decideInstanceCommand } from '../../src/lifecycle/instance-commands.ts';
import {
  type InstanceObservation,
  observeInstance,
} from '../../src/lifecycle/instance-observations.ts';
import { apply, context, host, instance } from './model.ts';

const failure = {
  ...{ code: 'IMAGE_MISSING', message: 'It is not there.', stage: 'PULLING' },
  ...{ exitCode: null, retryable: false, logTail: null },
};

/** An instance that is updated to the tag `new`, and what happens to it. */
class Story {
  snapshot: Snapshot;
  readonly states: InstanceState[] = [];
  last: Change;

  constructor(state: InstanceState, rest: Parameters<typeof instance>[1] = {}) {
    this.snapshot = { host: host('RUNNING'), instances: [instance(state, rest)] };
    this.last = this.take(
      decideInstanceCommand(this.snapshot, 'UPDATE_RUNTIME', context(), 'new') as Change,
    );
  }

  get instance() {
    const [one] = this.snapshot.instances;
    if (!one) throw new Error('gone');
    return one;
  }

  /** The end of the operation. */
  get end() {
    return this.last.operations.find(({ status }) => status !== 'RUNNING');
  }

  take(change: Change): Change {
    this.snapshot = apply(this.snapshot, change);
    const { state } = this.instance;
    if (change.updates.some(({ to }) => to)) this.states.push(state);
    this.last = change;
    return change;
  }

  see(observation: object): this {
    const { runId, operation } = this.instance;
    const seen = {
      ...{ runId, operationId: operation?.id },
      ...observation,
    } as unknown as InstanceObservation;
    const change = observeInstance(this.snapshot, seen, context());
    if (!change) throw new Error(`${seen.kind} is ignored while ${this.instance.state}`);
    this.take(change);
    return this;
  }

  complete(command: string, done = true): this {
    const rest = { message: done ? null : 'It does not load.', endpoints: null };
    return this.see({ kind: 'COMMAND_COMPLETED', command, done, ...rest });
  }

  pull(): this {
    return this.see({ kind: 'IMAGE_PULLED', digest: 'sha256:new' });
  }

  stop(): this {
    this.see({ kind: 'RUNTIME_GONE', exitCode: 0, signal: null, logTail: null });
    return this.see({ kind: 'RESTART_CONTINUES' });
  }

  start(): this {
    return this.see({ kind: 'RUNTIME_ONLINE' })
      .complete('LOAD_SOLUTION')
      .complete('START_LISTENING');
  }
}

const restart = ['STOPPING', 'STOPPED', 'STARTING_RUNTIME', 'INITIALIZING', 'STARTING'];
const before = { tag: 'old', digest: 'sha256:old' };

describe('a live instance', () => {
  test('is not touched until its image is pulled; then it is restarted on that', () => {
    const story = new Story('RUNNING');
    expect(story.instance).toMatchObject({
      ...{ state: 'RUNNING', image: before },
      operation: { kind: 'UPDATE_RUNTIME', phase: 'PULLING' },
    });
    expect(story.last.work.map(({ kind }) => kind)).toEqual(['PULL_IMAGE', 'PULL_DEADLINE']);
    story.pull();
    expect(story.instance).toMatchObject({ image: before, operation: { phase: 'RESTARTING' } });
    expect(story.last.dropped.flatMap(({ kinds }) => kinds)).toEqual(
      expect.arrayContaining(['PULL_IMAGE', 'PULL_DEADLINE']),
    );
    story.stop();
    expect(story.instance.image).toEqual({ tag: 'new', digest: 'sha256:new' });
    story.start();
    expect(story.states).toEqual([...restart, 'RUNNING']);
    expect(story.end?.status).toBe('SUCCEEDED');
  });

  test('that is paused is paused afterwards', () => {
    const story = new Story('PAUSED', { desired: 'PAUSED' }).pull().stop().start();
    expect(story.states).toEqual([...restart, 'PAUSED']);
    expect(story.end?.status).toBe('SUCCEEDED');
  });

  test.each([
    ['PULL_FAILED', { failure }, 'FAILED', 'IMAGE_MISSING'],
    ['PULL_DEADLINE', { cause: failure }, 'TIMED_OUT', 'DEADLINE_EXCEEDED'],
  ])('goes on after %s', (kind, rest, status, code) => {
    const story = new Story('RUNNING').see({ kind, ...rest });
    expect(story.instance).toMatchObject({ state: 'RUNNING', image: before, operation: null });
    expect(story.states).toEqual([]);
    expect(story.end).toMatchObject({ status, failure: { code } });
    expect(story.end?.failure?.message).toContain('It is not there.');
  });

  test('goes back to the image of before if the new one does not start', () => {
    const story = new Story('RUNNING').pull().stop().see({ kind: 'RUNTIME_ONLINE' });
    story.complete('LOAD_SOLUTION', false);
    expect(story.instance).toMatchObject({
      state: 'FAILED_TO_INITIALIZE',
      operation: { kind: 'UPDATE_RUNTIME', phase: 'ROLLING_BACK' },
    });
    expect(story.last.operations[0]?.failure).toMatchObject({
      code: 'LOAD_SOLUTION_FAILED',
      message: 'It does not load. The image of before is started again.',
    });
    story.see({ kind: 'RESTART_CONTINUES' });
    expect(story.instance.image).toEqual(before);
    story.start();
    expect(story.instance).toMatchObject({ state: 'RUNNING', operation: null });
    // The first cause, which is stored, is not replaced.
    expect(story.end?.status).toBe('FAILED');
    expect(story.end?.failure).toBeUndefined();
  });

  test('stays in error if the image of before does not start either', () => {
    const story = new Story('RUNNING').pull().stop();
    story.see({ kind: 'START_FAILED', failure }).see({ kind: 'RESTART_CONTINUES' });
    story.see({ kind: 'START_FAILED', failure: { ...failure, code: 'SECOND' } });
    expect(story.instance).toMatchObject({
      ...{ state: 'FAILED_TO_INITIALIZE', image: before, operation: null },
    });
    expect(story.end?.status).toBe('FAILED');
    expect(story.end?.failure).toBeUndefined();
  });

  test('a stop that cannot be confirmed is no reason to start another image', () => {
    const story = new Story('RUNNING').pull();
    story.see({ kind: 'KILL_UNCONFIRMED', message: 'It may still run.' });
    expect(story.instance).toMatchObject({ state: 'FATAL_ERROR', image: before, operation: null });
    expect(story.end).toMatchObject({ status: 'FAILED', failure: { code: 'KILL_UNCONFIRMED' } });
  });

  test('what is known of another operation changes nothing', () => {
    const { snapshot } = new Story('RUNNING');
    for (const kind of ['IMAGE_PULLED', 'PULL_FAILED', 'PULL_DEADLINE'] as const) {
      const stale = { kind, operationId: 'earlier', digest: 'd', failure, cause: null };
      expect(observeInstance(snapshot, stale, context())).toBeNull();
    }
  });
});

test.each(['OFFLINE', 'STOPPED'] as const)('%s: the next start takes the tag', (state) => {
  const story = new Story(state);
  expect(story.states).toEqual([]);
  expect(story.instance.image).toEqual({ tag: 'new', digest: null });
  expect(story.last.begins).toMatchObject([{ kind: 'UPDATE_RUNTIME', status: 'SUCCEEDED' }]);
  expect(story.last.work).toEqual([]);
});

test('in error it is started with the new tag, and a failure of that is the end', () => {
  const story = new Story('FATAL_ERROR', { desired: 'STOPPED', runtimeGone: true });
  expect(story.instance).toMatchObject({
    ...{ state: 'STARTING_RUNTIME', desired: 'RUNNING', image: { tag: 'new', digest: null } },
  });
  story.see({ kind: 'START_FAILED', failure });
  expect(story.end).toMatchObject({ status: 'FAILED', failure: { code: 'IMAGE_MISSING' } });
});

test.each([
  ['the App edition', { image: null }, {}],
  ['a host of the server', {}, { driver: 'PROCESS' }],
] as const)('%s has no image to choose', (_, ofInstance, ofHost) => {
  for (const state of ['RUNNING', 'STOPPED', 'FATAL_ERROR'] as const) {
    const snapshot = { host: host('RUNNING', ofHost), instances: [instance(state, ofInstance)] };
    const refused = decideInstanceCommand(snapshot, 'UPDATE_RUNTIME', context(), 'new');
    expect(refused).toMatchObject({
      refused: 'ILLEGAL_TRANSITION',
      message: expect.stringContaining('comes with the server'),
    });
  }
});
