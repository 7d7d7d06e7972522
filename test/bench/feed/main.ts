/**
 * `npm run bench:feed`: what streaming costs and how fast it is, each figure beside what it is held
 * against in the same run, in turns. Linux alone: the CPU time and the memory of a process are read
 * from /proc. Ends with 1 where an aim is missed.
 *
 * `-- --only fan-out` measures the parts whose names match the pattern; `-- --json` prints JSON;
 * `-- --quick` takes small sizes, to see whether it runs.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Figure, table } from '../figures.ts';
import { openBench } from '../stores.ts';
import { type BenchRun, startClients } from './bench-run.ts';
import { measureCommands } from './commands.ts';
import { measureCommits } from './commits.ts';
import { measureEmbedded } from './embedded.ts';
import { measureFanOut } from './fan-out.ts';
import { measureLatency } from './latency.ts';
import { measureMemory } from './memory.ts';
import { measureResume } from './resume.ts';
import { measureReturns } from './returns.ts';
import { measureSlow } from './slow.ts';

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
});

const parts: Readonly<Record<string, (benchRun: BenchRun) => Promise<Figure[]>>> = {
  'fan-out': measureFanOut,
  commits: measureCommits,
  latency: measureLatency,
  commands: measureCommands,
  memory: measureMemory,
  returns: measureReturns,
  slow: measureSlow,
  resume: measureResume,
  embedded: measureEmbedded,
};

/** Each of 5,000 subscribers is connected to three servers, all from one process. */
const files = 16_384;
const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
if (!given.quick && Number(limit) < files) {
  process.stderr.write(`A process may open ${limit} files; this takes ulimit -n ${files}.\n`);
  process.exit(1);
}

const wanted = new RegExp(given.only);
const figures: Figure[] = [];
const bench = await openBench();
const clients = startClients();
try {
  for (const [name, measure] of Object.entries(parts)) {
    if (!wanted.test(name)) continue;
    const began = performance.now();
    process.stderr.write(`${name} …\n`);
    try {
      const found = await measure({ bench, clients, quick: given.quick });
      figures.push(...found);
      process.stderr.write(`${table(found)}\n`);
    } catch (error) {
      // The others go on; the run has failed.
      process.exitCode = 1;
      console.error(`${name}:`, error);
    }
    process.stderr.write(`${name}: ${Math.round((performance.now() - began) / 1000)} s\n`);
  }
} finally {
  await clients.stop();
  await bench.close();
}
process.stdout.write(given.json ? `${JSON.stringify(figures, null, 2)}\n` : `${table(figures)}\n`);
if (figures.some(({ met }) => met === false)) process.exitCode = 1;
