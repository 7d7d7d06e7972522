/**
 * The epoch: one history of the log. It changes when the store may have gone back in time, so that a
 * cursor of what is lost is refused: another history may have the same revisions by now.
 *
 * A store remembers its lineage, something of the place it is in that no copy keeps: on PostgreSQL
 * the cluster, its timeline (each promotion and each recovery from an archive begins another), the
 * database and the table, on PGlite a file. With another lineage than the remembered one it gets a
 * new epoch before anything of it is read. An epoch too many costs its readers a snapshot; one too
 * few would cost them changes that they never hear of.
 */
import { randomUUID } from 'node:crypto';
import type { DataDirectory } from '../database/data-directory.ts';
import type { Database, Queries } from '../database/database.ts';

/** SQL over `store_identity`: its epoch, or null where it is not where it was last opened. */
export const believedEpoch = (kind: Database['kind']): string =>
  kind === 'POSTGRES'
    ? 'case when lineage is null or lineage = store_lineage() then epoch end'
    : 'epoch'; // One process has it, and in that it stays where it is.

/**
 * Remembers where a PostgreSQL store is; elsewhere than before it gets a new epoch. Of the nodes that
 * find out at once one does it.
 *
 * @returns whether this call gave it a new epoch
 */
export async function settleEpoch(database: Queries): Promise<boolean> {
  const [settled] = await database.query<{ renewed: boolean }>(
    `update store_identity
        set lineage = store_lineage(),
            epoch = case when lineage is null then epoch else gen_random_uuid() end
       from (select lineage as remembered from store_identity where id = 1) before
      where id = 1 and lineage is distinct from store_lineage()
     returning remembered is not null as renewed`,
  );
  return settled?.renewed ?? false;
}

/** Gives a store a new epoch that was seen to go back in time; nothing where it has another already. */
export async function renewEpoch(database: Queries, epoch: string): Promise<void> {
  await database.query(
    'update store_identity set epoch = gen_random_uuid() where id = 1 and epoch = $1::uuid',
    [epoch],
  );
}

/**
 * Settles the epoch of an embedded store, whose folder is marked with its epoch. One without its mark gets a
 * new epoch too: taking the mark away is how to say that the store was put back by means that leave no
 * trace, such as a snapshot of the disk.
 *
 * @returns 'ANOTHER' where the mark is of another store: nothing was changed
 */
export async function settleEmbeddedEpoch(
  database: Queries,
  directory: DataDirectory,
): Promise<'SAME' | 'RENEWED' | 'ANOTHER'> {
  const [known] = await database.query<{ epoch: string; lineage: string | null }>(
    'select epoch, lineage from store_identity where id = 1',
  );
  if (!known) throw new Error('the store was set up before this');
  const marked = directory.epochs.length > 0;
  if (marked && !directory.epochs.includes(known.epoch)) return 'ANOTHER';
  const lineage = await directory.lineage();
  const renews = known.lineage !== null && (known.lineage !== lineage || !marked);
  const epoch = renews ? randomUUID() : known.epoch;
  // Whatever cuts this off, the mark names the epoch that the store has.
  if (renews) await directory.mark([known.epoch, epoch]);
  await database.query('update store_identity set epoch = $1::uuid, lineage = $2 where id = 1', [
    epoch,
    lineage,
  ]);
  if (renews || directory.epochs.length !== 1) await directory.mark([epoch]);
  return renews ? 'RENEWED' : 'SAME';
}
