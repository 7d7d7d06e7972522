/** What PostgreSQL does by itself and PGlite does not: checkpoints and vacuum. */
import type { Database } from './database.ts';

export interface MaintenanceLog {
  warn(message: string): void;
}

const mebibyte = 2 ** 20;
/** When each is due: by the log written since the last time, or by time where anything was. */
const checkpointDue = { bytes: 64 * mebibyte, seconds: 300 };
const vacuumDue = { bytes: 16 * mebibyte, seconds: 120 };
const lookSeconds = 15;

/** Rows of these are written anew with every change of state. */
const hotTables = ['work', 'instances', 'hosts', 'operations', 'workers'];
/** These only grow; the planner wants to know how far. */
const growingTables = ['log', 'runs', 'runtime_commands', 'metering_intervals', 'idempotency_keys'];

interface Progress {
  readonly bytes: number;
  readonly at: number;
}

/** Looks after an embedded store from time to time; nothing is done while nothing is written. */
export function startMaintenance(
  database: Database,
  log: MaintenanceLog,
): { look(): Promise<void>; stop(): Promise<void> } {
  let vacuumed: Progress | null = null;
  let checkpointed: Progress | null = null;
  let looking: Promise<void> | null = null;

  async function run(): Promise<void> {
    const now = { bytes: await written(database), at: performance.now() };
    vacuumed ??= now;
    checkpointed ??= now;
    if (isDue(vacuumDue, vacuumed, now)) {
      await database.query(`vacuum (analyze) ${hotTables.join(', ')}`);
      await database.query(`analyze ${growingTables.join(', ')}`);
      vacuumed = { bytes: await written(database), at: now.at };
    }
    if (isDue(checkpointDue, checkpointed, now)) {
      await database.query('checkpoint');
      checkpointed = { bytes: await written(database), at: now.at };
    }
  }

  const look = (): Promise<void> => {
    looking ??= run()
      .catch((error: Error) => log.warn(`Maintenance of the embedded store: ${error.message}`))
      .finally(() => {
        looking = null;
      });
    return looking;
  };
  const timer = setInterval(look, lookSeconds * 1000);
  timer.unref();
  return {
    look,
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}

function isDue(due: { bytes: number; seconds: number }, last: Progress, now: Progress): boolean {
  if (now.bytes === last.bytes) return false;
  return now.bytes - last.bytes >= due.bytes || now.at - last.at >= due.seconds * 1000;
}

/** Bytes of the write-ahead log since the beginning. */
async function written(database: Database): Promise<number> {
  const [row] = await database.query<{ bytes: number }>(
    `select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::float8 as bytes`,
  );
  return row?.bytes ?? 0;
}
