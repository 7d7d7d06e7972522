/** What the server keeps to. Stands alone, so that the settings need not load the schema. */

/** A page has at most so many entries. */
export const maxPageSize = 200;
/** And so many where nobody says how many. */
export const defaultPageSize = 50;

/** What `server.limits` shows and the server keeps to. */
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
