/**
 * The epoch identifies one history of the log. It changes when the store may have gone back in time
 * (a restore, a failover), so that cursors of lost changes are refused: the new history may use the
 * same revisions for other changes.
 *
 * A store keeps its lineage: the identity of the place where the data is, which no copy has. On PostgreSQL:
 * the cluster, its timeline (each promotion and each archive recovery begins another), the database
 * and the table. On PGlite: a file. If the lineage differs from the remembered one, the store gets
 * a new epoch before it is read. A needless new epoch costs each reader a snapshot; a missing one
 * would lose changes.
 */
import { randomUUID } from 'node:crypto';
import type { DataDirectory } from '../database/data-directory.ts';
import type { Database, Queries } from '../database/database.ts';

/** SQL over `store_identity`: the epoch, or null if the lineage differs from the remembered one. */
export const validEpochSql = (kind: Database['kind']): string =>
  kind === 'POSTGRES'
    ? 'case when lineage is null or lineage = store_lineage() then epoch end'
    : 'epoch'; // One process owns the folder, and the data does not move while it runs.

/**
 * Stores the lineage of a PostgreSQL store, and a new epoch if the lineage has changed. Of several
 * nodes that call this concurrently one writes.
 *
 * @returns whether this call wrote a new epoch
 */
export async function ensureEpoch(database: Queries): Promise<boolean> {
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

/**
 * Writes a new epoch after the store was seen to go back in time; nothing if the epoch has changed
 * already.
 */
export async function renewEpoch(database: Queries, epoch: string): Promise<void> {
  await database.query(
    'update store_identity set epoch = gen_random_uuid() where id = 1 and epoch = $1::uuid',
    [epoch],
  );
}

/**
 * The same for an embedded store, whose folder has a marker file with its epoch. Without the
 * file the store gets a new epoch: an operator removes it after a restore that leaves no trace,
 * such as a disk snapshot.
 *
 * @returns 'ANOTHER' if the file names another store; nothing was changed
 */
export async function ensureEmbeddedEpoch(
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
  // An interruption at any point leaves a mark that names the store's epoch.
  if (renews) await directory.writeMarker([known.epoch, epoch]);
  await database.query('update store_identity set epoch = $1::uuid, lineage = $2 where id = 1', [
    epoch,
    lineage,
  ]);
  if (renews || directory.epochs.length !== 1) await directory.writeMarker([epoch]);
  return renews ? 'RENEWED' : 'SAME';
}
