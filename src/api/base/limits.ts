/** The limits of the server. Imports nothing, so that the settings need not load the schema. */

/** Most entries of a page. */
export const maxPageSize = 200;
/** Entries of a page if the caller gives no number. */
export const defaultPageSize = 50;

/** The limits that the server keeps, as `server.limits` shows them. */
export interface ServerLimits {
  readonly pageSize: number;
  readonly waitSeconds: number;
  readonly mutationsPerDocument: number;
  readonly operationsPerSocket: number;
  readonly socketsPerToken: number;
  readonly subscriptionsPerToken: number;
  readonly waitersPerToken: number;
  readonly payloadBytes: number;
  readonly depth: number;
  readonly aliases: number;
  readonly tokens: number;
  readonly complexity: number;
  readonly idempotencyHours: number;
}

export const defaultLimits: ServerLimits = {
  pageSize: maxPageSize,
  waitSeconds: 60,
  mutationsPerDocument: 10,
  operationsPerSocket: 100,
  socketsPerToken: 10_000,
  subscriptionsPerToken: 100_000,
  waitersPerToken: 50,
  payloadBytes: 1024 * 1024,
  depth: 16,
  aliases: 100,
  tokens: 4000,
  complexity: 100_000,
  idempotencyHours: 24,
};
