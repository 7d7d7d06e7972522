/** A process that writes to an embedded store until it is killed, and notes what was acknowledged. */
import { openSync, writeSync } from 'node:fs';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { type OpenStore, openStore } from '../../src/store/open.ts';
import { answerWith } from '../bench/feed/process.ts';
import { openTransitions } from '../bench/feed/transitions.ts';
import { createFleet } from '../bench/fleet.ts';

const lanes = 8;
const instances = 64;

let store: OpenStore | null = null;

/** What is in the log behind a revision. */
export interface Found {
  /** The highest revision. */
  readonly newest: number;
  /** Numbers of the transitions behind the revision. */
  readonly numbers: readonly number[];
  /** Instances that are not where the last row of their history says, or whose history has a hole. */
  readonly broken: readonly string[];
}

const tasks = {
  async open(dataDir: string): Promise<void> {
    store = await openStore({
      dataDir,
      connections: 1,
      deadlines: defaultDeadlines,
      dnsZone: 'instances.test',
      log: { warn: console.error },
    });
    const { database, defaultOrganizationId } = store;
    const [known] = await database.query('select 1 from instances limit 1');
    if (!known) await createFleet(database, defaultOrganizationId, { from: 1, to: instances });
  },
  async look(behind: number): Promise<Found> {
    if (!store) throw new Error('It is not open.');
    const rows = await store.database.query<{ revision: number; n: number }>(
      `select revision, (details->>'n')::int as n from log where revision > $1::bigint`,
      [behind],
    );
    const broken = await store.database.query<{ key: string }>(
      `select key from instances i
         left join lateral (
           select max(sequence) as last, count(*) as rows, (array_agg(instance_to order by sequence desc))[1] as state
             from log where resource_id = i.id and kind = 'TRANSITION') l on true
        where l.last is distinct from i.sequence or l.rows is distinct from i.sequence::bigint
           or l.state is distinct from i.state`,
    );
    return {
      newest: Math.max(behind, ...rows.map(({ revision }) => revision)),
      numbers: rows.map(({ n }) => n),
      broken: broken.map(({ key }) => key),
    };
  },
  /** Writes for ever; each transition that is acknowledged is a line of the file, by its number. */
  async write(file: string): Promise<void> {
    if (!store) throw new Error('It is not open.');
    const { database, defaultOrganizationId: organizationId } = store;
    const notes = openSync(file, 'w');
    const writer = await openTransitions(database, { organizationId, notifier: null });
    const lane = async (): Promise<void> => {
      for (let n = 1; ; n += 1) {
        const count = 1 + (n % 3);
        const { number } = await writer.commit(count);
        const numbers = Array.from({ length: count }, (_, index) => `${number + index}\n`);
        writeSync(notes, numbers.join(''));
        if (n % 40 === 0) await database.query('checkpoint');
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  },
};

export type KilledWriter = typeof tasks;

answerWith(tasks);
