/** A process that is a worker and nothing else: prints its id, and `lost` when it may not act. */
import { startWorker } from '../../src/executor/worker.ts';
import { defaultDeadlines } from '../../src/lifecycle/change.ts';
import { createStore } from '../../src/store/commit/store.ts';
import { openPostgres } from '../../src/store/database/postgres.ts';

const database = openPostgres(process.argv[2] ?? '', { connections: 2 });
const worker = await startWorker(createStore(database, defaultDeadlines), {
  name: 'process',
  log: { warn: () => undefined },
});
worker.signal.addEventListener('abort', () => console.log('lost'));
console.log(worker.id);
