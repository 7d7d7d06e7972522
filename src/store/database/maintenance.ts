/** Checkpoints and vacuum of the embedded store: PGlite has no background processes for them. */
import type { Database } from './database.ts';

export interface MaintenanceLog {
  warn(message: string): void;
}

const mebibyte = 2 ** 20;
/**
 * Each is due after this many bytes of write-ahead log, or after this time if anything was written.
 */
const checkpointDue = { bytes: 64 * mebibyte, seconds: 300 };
const vacuumDue = { bytes: 16 * mebibyte, seconds: 120 };
const checkIntervalSeconds = 15;

/** Tables whose rows are updated at each change of state. */
const hotTables = ['work', 'instances', 'hosts', 'operations', 'workers'];
/** Tables that only grow; the planner needs their statistics. */
const growingTables = ['log', 'runs', 'runtime_commands', 'metering_intervals', 'idempotency_keys'];

interface Progress {
  readonly bytes: number;
  readonly at: number;
}

/**
 * Runs the maintenance of an embedded store when it is due. Nothing runs while nothing is written.
 */
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
  const timer = setInterval(look, checkIntervalSeconds * 1000);
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
