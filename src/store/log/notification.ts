/**
 * The payload of a NOTIFY between nodes: that the log has grown and, where a commit publishes its rows
 * and they fit, the rows themselves. A node that has all earlier rows need not read these from the table.
 */
import type { LogRow } from './log.ts';

export interface Notification {
  /** Sent by this node itself. */
  readonly isOwn: boolean;
  /** The log has grown. */
  readonly log: boolean;
  /** The rows of one revision, complete; null: read the log. */
  readonly pushed: PushedRevision | null;
  /** Topics with something new; null: too many to list, so any topic may have. */
  readonly topics: readonly string[] | null;
}

export interface PushedRevision {
  readonly rows: readonly LogRow[];
  /** The epoch of the store when the rows were committed. */
  readonly epoch: string;
}

/** A notification may have been missed: anything may be new. */
const ANYTHING_CHANGED: Notification = { isOwn: false, log: true, pushed: null, topics: null };

/** PostgreSQL takes less than 8,000 bytes. */
const maxPayloadBytes = 7800;
const maxTopicBytes = 4000;

/** The payload of a node's coalesced notification; receivers read the log. */
export function notifyPayload(
  node: string,
  { log, topics }: { log: boolean; topics: ReadonlySet<string> },
): string {
  const named = JSON.stringify([...topics]);
  const listed = Buffer.byteLength(named) <= maxTopicBytes ? named : 'null';
  return `{"node":"${node}","log":${log},"topics":${listed}}`;
}

/**
 * The payload of a commit that publishes its rows. `rows` are as a read of the log returns them, without
 * what the commit itself decides: SQL appends `"revision":…,"at":<ms>,"epoch":"…"}`. Null if too long.
 */
export function payloadOfCommit(
  node: string,
  rows: readonly Omit<LogRow, 'revision' | 'at'>[],
): string | null {
  const pushed = rows.map((row) => ({
    ...row,
    actor: inStoredOrder(row.actor),
    details: inStoredOrder(row.details),
  }));
  const payload = `{"node":"${node}","log":true,"topics":[],"rows":${JSON.stringify(pushed)},`;
  return Buffer.byteLength(payload) <= maxPayloadBytes ? payload : null;
}

/** Parses a payload; an unknown one means that anything may be new. */
export function notificationOf(payload: string, node: string): Notification {
  try {
    const { node: by, log, topics, rows, revision, at, epoch } = JSON.parse(payload);
    if (typeof by !== 'string' || typeof log !== 'boolean') return ANYTHING_CHANGED;
    const notification = { isOwn: by === node, log, topics, pushed: null };
    if (!rows) return notification;
    if (typeof revision !== 'number' || typeof at !== 'number') return ANYTHING_CHANGED;
    const whole = rows.map((row: LogRow) => ({ ...row, revision, at: new Date(at) }));
    return { ...notification, pushed: { rows: whole, epoch } };
  } catch {
    return ANYTHING_CHANGED;
  }
}

/** The same value with its keys in the order of a `jsonb` column: shorter keys first. */
function inStoredOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inStoredOrder);
  const keyed = Object.entries(value).map(
    ([key, inner]) => [Buffer.from(key), key, inStoredOrder(inner)] as const,
  );
  keyed.sort(([a], [b]) => a.length - b.length || Buffer.compare(a, b));
  return Object.fromEntries(keyed.map(([, key, inner]) => [key, inner]));
}
