import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/harness/longest-first.ts';

export default defineConfig({
  resolve: {
    // One build of graphql for all: Vite would take its ES build where Node's own imports, those of
    // Yoga and Pothos, take the CommonJS one, and graphql refuses objects of another realm.
    alias: [
      {
        find: /^graphql$/,
        replacement: fileURLToPath(new URL('./node_modules/graphql/index.js', import.meta.url)),
      },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/harness/run.ts'],
    pool: 'forks',
    // More than the machine has processors, because many tests wait.
    maxWorkers: 3,
    // Files share a process, and so modules, compiled code and open stores: a third of the processor time.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Longer than the machine is ever busy: what takes longer hangs.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    expect: { poll: { timeout: 30_000, interval: 50 } },
    reporters: ['default', './test/harness/slowest.ts', './test/harness/closing-line.ts'],
    coverage: { include: ['src/**'] },
  },
});
