/**
 * What one node tells the others over NOTIFY: that the log has grown, and, where a commit tells of
 * itself and they fit, by which rows. Who has everything before them need not read the table for them.
 */
import type { LogRow } from './log.ts';

export interface Hint {
  /** This node's own. */
  readonly isOwn: boolean;
  /** The log has grown. */
  readonly log: boolean;
  /** By these rows, a whole revision; null: read it. */
  readonly shown: Shown | null;
  /** What else is new; null: too much to say, so anything may be. */
  readonly topics: readonly string[] | null;
}

export interface Shown {
  readonly rows: readonly LogRow[];
  /** Of the store, as it believed when they were committed. */
  readonly epoch: string;
}

/** Something may have been missed. */
const EVERYTHING: Hint = { isOwn: false, log: true, shown: null, topics: null };

/** PostgreSQL takes less than 8,000 bytes. */
const PAYLOAD_BYTES = 7800;
const TOPIC_BYTES = 4000;

/** A payload of a node: what the log shows must be read. */
export function payloadOf(
  node: string,
  { log, topics }: { log: boolean; topics: ReadonlySet<string> },
): string {
  const named = JSON.stringify([...topics]);
  const said = Buffer.byteLength(named) <= TOPIC_BYTES ? named : 'null';
  return `{"node":"${node}","log":${log},"topics":${said}}`;
}

/**
 * The payload of a commit that tells of itself. `rows` as they will be read, but for what the commit
 * decides: SQL appends `"revision":…,"at":<ms>,"epoch":"…"}`. Null where it is too long.
 */
export function payloadOfCommit(
  node: string,
  rows: readonly Omit<LogRow, 'revision' | 'at'>[],
): string | null {
  const shown = rows.map((row) => ({
    ...row,
    actor: inStoredOrder(row.actor),
    details: inStoredOrder(row.details),
  }));
  const payload = `{"node":"${node}","log":true,"topics":[],"rows":${JSON.stringify(shown)},`;
  return Buffer.byteLength(payload) <= PAYLOAD_BYTES ? payload : null;
}

/** Reads a payload; one that is not understood says that anything may be new. */
export function hintOf(payload: string, node: string): Hint {
  try {
    const { node: by, log, topics, rows, revision, at, epoch } = JSON.parse(payload);
    if (typeof by !== 'string' || typeof log !== 'boolean') return EVERYTHING;
    const hint = { isOwn: by === node, log, topics, shown: null };
    if (!rows) return hint;
    if (typeof revision !== 'number' || typeof at !== 'number') return EVERYTHING;
    const whole = rows.map((row: LogRow) => ({ ...row, revision, at: new Date(at) }));
    return { ...hint, shown: { rows: whole, epoch } };
  } catch {
    return EVERYTHING;
  }
}

/** The same value with its keys in the order that a `jsonb` column gives them: the shorter first. */
function inStoredOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inStoredOrder);
  const keyed = Object.entries(value).map(
    ([key, inner]) => [Buffer.from(key), key, inStoredOrder(inner)] as const,
  );
  keyed.sort(([a], [b]) => a.length - b.length || Buffer.compare(a, b));
  return Object.fromEntries(keyed.map(([, key, inner]) => [key, inner]));
}
