/** What a provider holds and the store does not know, or knows to be over. */
import type { Store } from '../commit/store.ts';

/** A host, or the runtime of one run on it, that a provider holds. */
export interface Held {
  readonly hostId: string;
  readonly runtime: { readonly instanceId: string; readonly runId: string } | null;
}

export interface Orphans {
  /** Hosts that are released, or that the store never had, with all that is on them. */
  readonly hosts: readonly string[];
  /** Runs that were followed by others or whose instance is elsewhere, on hosts that are in use. */
  readonly runs: readonly {
    readonly hostId: string;
    readonly instanceId: string;
    readonly runId: string;
    readonly handle: Record<string, unknown>;
  }[];
}

/** A fencing token. Work that is claimed after this has a greater one. */
export async function newToken(store: Store): Promise<bigint> {
  const [row] = await store.database.query<{ token: string | number }>(
    "select nextval('fencing_tokens') as token",
  );
  if (!row) throw new Error('The database gave no token.');
  return BigInt(row.token);
}

/** Which of these the store does not know, or knows to be over. */
export async function findOrphans(store: Store, held: readonly Held[]): Promise<Orphans> {
  const hosts = [...new Set(held.map(({ hostId }) => hostId))];
  const known = await store.database.query<{ id: string; handle: Record<string, unknown> | null }>(
    `select h.id, h.handle from jsonb_array_elements_text($1::text::jsonb) asked(id)
       join hosts h on h.id::text = asked.id
      where h.archived_at is null and (h.up or h.removing or h.handle is not null
        or exists (select from work w where w.resource_id = h.id))`,
    [JSON.stringify(hosts)],
  );
  const handles = new Map(known.map(({ id, handle }) => [id, handle]));
  const runs = held.flatMap(({ hostId, runtime }) => (runtime ? [{ hostId, ...runtime }] : []));
  const current = await store.database.query<{ runId: string }>(
    `select asked."runId"
       from jsonb_to_recordset($1::text::jsonb)
              asked("hostId" text, "instanceId" text, "runId" text)
       join instances i on i.id::text = asked."instanceId"
      where i.archived_at is null and i.host_id::text = asked."hostId"
        and i.run_id::text = asked."runId"`,
    [JSON.stringify(runs)],
  );
  const currentRuns = new Set(current.map(({ runId }) => runId));
  return {
    hosts: hosts.filter((id) => !handles.has(id)),
    runs: runs.flatMap((run) => {
      const handle = handles.get(run.hostId);
      return handle && !currentRuns.has(run.runId) ? [{ ...run, handle }] : [];
    }),
  };
}
