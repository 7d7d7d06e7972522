/** A process that writes transitions through the door of an embedded store, as fast as it takes them. */
import { defaultDeadlines } from '../../../src/lifecycle/change.ts';
import { openStore } from '../../../src/store/open.ts';
import { createFleet } from '../fleet.ts';
import { load } from '../load.ts';
import { answerWith } from './process.ts';
import { openTransitions } from './transitions.ts';

const concurrency = 32;

const tasks = {
  /** Transitions a second, of each round. */
  async write(dataDir: string, rounds: number, transitions: number): Promise<number[]> {
    const store = await openStore({
      dataDir,
      connections: 1,
      deadlines: defaultDeadlines,
      dnsZone: 'instances.test',
      log: { warn: console.error },
    });
    const { database, defaultOrganizationId: organizationId } = store;
    await createFleet(database, organizationId, { from: 1, to: 2_000 });
    const writer = await openTransitions(database, { organizationId, notifier: null });
    const items = Array.from({ length: transitions }, (_, n) => n);
    const rates: number[] = [];
    for (let round = 0; round <= rounds; round += 1) {
      const { perSecond } = await load(
        items,
        concurrency,
        async () => void (await writer.commit()),
      );
      if (round > 0) rates.push(perSecond);
    }
    await store.close();
    return rates;
  },
};

export type EmbeddedWriter = typeof tasks;

answerWith(tasks);
