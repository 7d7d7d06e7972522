/** Who writes meanwhile: commands through the API, and changes through the store's own door. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from '../../../src/store/database/database.ts';
import { openPostgres } from '../../../src/store/database/postgres.ts';
import { startNotifier } from '../../../src/store/log/notifier.ts';
import { openTransitions } from '../../bench/feed/transitions.ts';

export interface CommitWriter {
  readonly committed: number;
  /** Commits without an answer, or refused because another one had none. */
  readonly failed: number;
  stop(): Promise<void>;
}

/**
 * Steps of the instances of a fleet, so many a second, in four lanes. Those of two tell of themselves,
 * as a node's do; of the others nobody is told: the nodes find them by their polls.
 */
export function startCommitWriter(
  url: string,
  { organizationId, perSecond }: { organizationId: string; perSecond: number },
): CommitWriter {
  const lanes = 4;
  const database: Database = openPostgres(url, { connections: lanes });
  const notifier = startNotifier(database);
  let over = false;
  let committed = 0;
  let failed = 0;

  /** Of the instances whose numbers end so, which no other lane touches. */
  async function write(lane: number): Promise<void> {
    const open = () =>
      openTransitions(database, {
        organizationId,
        notifier: lane % 2 === 0 ? notifier : null,
        keys: `instance-%${lane}`,
      });
    let transitions = await open().catch(() => null);
    for (let due = performance.now(); !over; due += (lanes * 1000) / perSecond) {
      try {
        transitions ??= await open();
        await transitions.commit();
        committed += 1;
      } catch {
        failed += 1;
        transitions = null; // It may have been written or not: what is there now is read again.
        await delay(50);
      }
      // What could not be written in time is not made up for.
      due = Math.max(due, performance.now() - 1000);
      await delay(Math.max(0, due - performance.now()));
    }
  }

  const writing = Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)));
  return {
    get committed() {
      return committed;
    },
    get failed() {
      return failed;
    },
    async stop() {
      over = true;
      await writing;
      await notifier.stop();
      await database.close();
    },
  };
}
