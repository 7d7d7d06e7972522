/**
 * `npm run chaos`: the test of the faults with 1,000 of them. `-- --faults N` takes so many,
 * `-- --seed S` repeats a run; `-- --soak MINUTES` has no faults, and looks at what grows.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    soak: { type: 'string' },
  },
});
const given: Record<string, string> = values.soak
  ? // A small ring is full within a minute: what grows after that is not it.
    { SOAK_MINUTES: values.soak, FEED_RING_BYTES: String(8 * 2 ** 20) }
  : { CHAOS_FAULTS: values.faults, CHAOS_SEED: values.seed, CHAOS_BETWEEN_MS: '300' };
process.stdout.write(`${JSON.stringify(given)}\n`);
const file = `test/integration/${values.soak ? 'soak' : 'chaos'}.test.ts`;
const run = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', file], {
  env: { ...process.env, ...given },
  stdio: 'inherit',
});
run.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
