/** The log as it is stored, and what each client should have been told of it. */
import type postgres from 'postgres';
import { createCursors } from '../../../src/feed/channel/cursor.ts';
import type { Followed, Received } from './crowd.ts';

export interface StoredLog {
  readonly length: number;
  /** The cursor of the last event of each kind of stream. */
  readonly last: Readonly<Record<Followed, string>>;
  /** What differs between what a client was told and the log behind its start; null: nothing does. */
  difference(received: Received, cursors: readonly string[]): string | null;
}

interface Row {
  readonly revision: number;
  readonly place: number;
  readonly cursor: string;
  /** It is a transition of an instance. */
  readonly ofInstance: boolean;
}

export async function readLog(sql: postgres.Sql): Promise<StoredLog> {
  const [identity] = await sql<{ cursorSecret: string; epoch: string }[]>`
    select cursor_secret as "cursorSecret", epoch from store_identity`;
  if (!identity) throw new Error('The store has no identity.');
  const cursors = createCursors(identity);
  const stored = await sql<
    { revision: string; place: number; organization: string; ofInstance: boolean }[]
  >`select revision, place, organization_id as organization,
           kind = 'TRANSITION' and resource_kind = 'INSTANCE' as "ofInstance"
      from log order by revision, place`;
  const organization = stored[0]?.organization ?? '';
  const rows: Row[] = stored.map(({ revision, place, ofInstance }) => ({
    revision: Number(revision),
    place,
    ofInstance,
    cursor: cursors.encode(organization, { revision: Number(revision), place }),
  }));
  const ofInstances = rows.filter(({ ofInstance }) => ofInstance);
  const streams: Readonly<Record<Followed, readonly Row[]>> = {
    changes: rows,
    'changes of resources': rows,
    transitions: ofInstances,
    'transitions of instances': ofInstances,
  };
  const lastOf = (followed: Followed): string => streams[followed].at(-1)?.cursor ?? '';
  return {
    length: rows.length,
    last: {
      changes: lastOf('changes'),
      'changes of resources': lastOf('changes of resources'),
      transitions: lastOf('transitions'),
      'transitions of instances': lastOf('transitions of instances'),
    },
    difference({ followed, start, order }, told) {
      const { revision } = cursors.decode(organization, start);
      const expected = streams[followed].filter((row) => row.revision > revision);
      const wrong = expected.findIndex((row, n) => row.cursor !== told[order[n] ?? -1]);
      if (wrong < 0 && order.length === expected.length) return null;
      const at = wrong < 0 ? expected.length : wrong;
      const came = told[order[at] ?? -1];
      const where = rows.find(({ cursor }) => cursor === came);
      return (
        `${followed}: ${order.length} events instead of ${expected.length}; as number ${at} ` +
        `${where ? `${where.revision}/${where.place}` : (came ?? 'nothing')} came instead of ` +
        `${expected[at]?.revision}/${expected[at]?.place}`
      );
    },
  };
}
