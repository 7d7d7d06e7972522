/**
 * Commits of transitions, from the process of the bench, through the door of the store as a node
 * does: a change takes instances one step on, in one statement, with one revision.
 */
import type { Change } from '../../../src/lifecycle/change.ts';
import type { InstanceState } from '../../../src/lifecycle/instance.ts';
import { commitChange } from '../../../src/store/commit/commit.ts';
import type { Database } from '../../../src/store/database/database.ts';
import type { Notifier } from '../../../src/store/log/notifier.ts';
import { now } from './clock.ts';

export interface Committed {
  /** Of its first transition, as `n` in the details; those of one commit are consecutive. */
  readonly number: number;
  /** The moment when the store had said that it is committed. */
  readonly at: number;
}

export interface Transitions {
  /** The number of the last transition that was made. */
  readonly last: number;
  /** Commits one transaction in which so many instances take one step each. */
  commit(count?: number): Promise<Committed>;
}

const path: Record<string, InstanceState> = {
  RUNNING: 'PAUSING',
  PAUSING: 'PAUSED',
  PAUSED: 'STARTING',
  STARTING: 'RUNNING',
};

interface Row {
  readonly id: string;
  guard: number;
  sequence: number;
  state: InstanceState;
  /** A step of it is on its way. */
  busy?: boolean;
}

/**
 * Takes over the instances of a fleet, which nobody else may change meanwhile.
 *
 * @param options.notifier told of each commit, as by a node; null: nobody is told
 * @param options.padding characters that each transition carries besides
 */
export async function openTransitions(
  database: Database,
  options: { organizationId: string; notifier: Notifier | null; padding?: number; keys?: string },
): Promise<Transitions> {
  const { organizationId, notifier, padding = 0, keys = '%' } = options;
  const rows = await database.query<Row>(
    'select id, guard, sequence, state from instances where key like $1 order by key',
    [keys],
  );
  const note = 'x'.repeat(padding);
  let next = 0;
  let number = 0;

  /** The next that nobody else is about to change. */
  function free(): Row {
    for (let tried = 0; tried < rows.length; tried += 1) {
      const row = rows[next++ % rows.length] as Row;
      if (!row.busy) return Object.assign(row, { busy: true });
    }
    throw new Error(`All ${rows.length} instances are being changed.`);
  }

  function step(row: Row): Change['updates'][number] {
    const to = path[row.state];
    if (!to) throw new Error(`No step leads on from ${row.state}.`);
    number += 1;
    const { id, guard, sequence, state: from } = row;
    Object.assign(row, { guard: guard + 1, sequence: sequence + 1, state: to });
    return {
      kind: 'INSTANCE',
      details: padding > 0 ? { n: number, note } : { n: number },
      operationId: null,
      causedBy: null,
      ...{ id, guard, sequence, from, to },
    };
  }

  return {
    get last() {
      return number;
    },
    async commit(count = 1) {
      const first = number + 1;
      const taken = Array.from({ length: count }, free);
      const updates = taken.map(step);
      const change: Change = {
        actor: { kind: 'USER', name: 'bench' },
        reason: null,
        hostGuard: null,
        guards: [],
        updates,
        begins: [],
        operations: [],
        work: [],
        dropped: [],
        commands: [],
        operationId: null,
      };
      const written = await commitChange(database, change, { organizationId, notifier });
      if ('lost' in written) throw new Error('A change was not written.', { cause: written.cause });
      const at = now();
      for (const row of taken) row.busy = false;
      if (!written.published) notifier?.notifyLog();
      return { number: first, at };
    },
  };
}
