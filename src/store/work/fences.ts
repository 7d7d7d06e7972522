/** The fencing tokens of drivers whose engine cannot keep them. */
import type { Store } from '../commit/store.ts';

/** Keeps the token of a subject if it is the greatest so far; returns the greatest. */
export async function raiseFence(store: Store, subject: string, token: bigint): Promise<bigint> {
  const [row] = await store.database.query<{ token: string | number }>(
    `insert into driver_fences as f (subject, token) values ($1, $2::text::bigint)
     on conflict (subject) do update
        set token = greatest(f.token, excluded.token), raised_at = clock_timestamp()
     returning token`,
    [subject, token.toString()],
  );
  if (!row) throw new Error('The fence was not raised.');
  return BigInt(row.token);
}
