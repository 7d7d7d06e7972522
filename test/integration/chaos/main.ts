/**
 * `npm run chaos`: the test of the faults with 1,000 of them. `-- --faults N` takes so many,
 * `-- --seed S` repeats a run; `-- --soak MINUTES` has no faults, and looks at what grows.
 * `--docker` lets 100 happen to a Docker engine; `-- --outbox` sends 200,000 device values to 20 instances, on PostgreSQL or `--store embedded`.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    faults: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    soak: { type: 'string' },
    docker: { type: 'boolean', default: false },
    outbox: { type: 'boolean', default: false },
    values: { type: 'string', default: '200000' },
    instances: { type: 'string', default: '20' },
    store: { type: 'string', default: 'postgres' },
  },
});

/** The test file of a run, and its environment. */
function chosen(): [file: string, given: Record<string, string>] {
  const { soak, docker, outbox, faults, seed, instances, store } = values;
  // A small ring is full within a minute: what grows after that is not it.
  if (soak) return ['soak', { SOAK_MINUTES: soak, FEED_RING_BYTES: String(8 * 2 ** 20) }];
  if (outbox) {
    const size = { OUTBOX_VALUES: values.values, OUTBOX_INSTANCES: instances };
    return ['chaos/outbox', { ...size, OUTBOX_STORE: store, CHAOS_SEED: seed }];
  }
  if (docker) return ['chaos-docker', { CHAOS_FAULTS: faults ?? '100', CHAOS_SEED: seed }];
  return ['chaos', { CHAOS_FAULTS: faults ?? '1000', CHAOS_SEED: seed, CHAOS_BETWEEN_MS: '300' }];
}

const [name, given] = chosen();
process.stdout.write(`${JSON.stringify(given)}\n`);
const file = `test/integration/${name}.test.ts`;
const run = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', file], {
  env: { ...process.env, ...given },
  stdio: 'inherit',
});
run.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
