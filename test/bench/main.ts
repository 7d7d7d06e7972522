/**
 * `npm run bench`: figures with what they are held against, both measured in this run, in turns.
 * `-- commands commits` measures these parts alone; `-- --json` prints JSON; `-- --cpu-prof=FOLDER`
 * leaves a CPU profile of the server that takes the commands there.
 */
import { measureCommands } from './commands.ts';
import { measureCommits } from './commits.ts';
import { measureConsole } from './console.ts';
import { measureDocker } from './docker.ts';
import { type Figure, table } from './figures.ts';
import { measureLists } from './lists.ts';
import { measureMemory, measureRuntimes } from './memory.ts';
import { measureReads } from './reads.ts';
import { measureResumes } from './resumes.ts';
import { measureFleetStarts, measureStarts } from './starts.ts';
import { openBench } from './stores.ts';

const json = process.argv.includes('--json');
const profile = process.argv.find((each) => each.startsWith('--cpu-prof='))?.slice(11) ?? null;
const chosen = process.argv.slice(2).filter((each) => !each.startsWith('--'));

const bench = await openBench();
let fleets: ReturnType<typeof openFleets> | null = null;
/** Three parts look at the same two fleets. */
const twoFleets = () => {
  fleets ??= openFleets();
  return fleets;
};
const parts: Readonly<Record<string, () => Promise<Figure[]>>> = {
  commands: () => measureCommands(bench, profile),
  reads: async () => measureReads(bench, await twoFleets()),
  resumes: () => measureResumes(bench),
  lists: async () => measureLists(bench, await twoFleets()),
  starts: () => measureStarts(bench),
  memory: () => measureMemory(bench),
  runtimes: () => measureRuntimes(bench),
  'fleet-starts': async () => measureFleetStarts(bench, await twoFleets()),
  commits: () => measureCommits(bench),
  docker: () => measureDocker(bench),
  console: async () => measureConsole(bench, await bench.createDatabase(10_000)),
};

const figures: Figure[] = [];
try {
  for (const [name, measure] of Object.entries(parts)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    process.stderr.write(`${name} …\n`);
    figures.push(...(await measure()));
  }
} finally {
  await bench.close();
}
process.stdout.write(json ? `${JSON.stringify(figures, null, 2)}\n` : `${table(figures)}\n`);

async function openFleets() {
  return { small: await bench.createDatabase(100), large: await bench.createDatabase(10_000) };
}
