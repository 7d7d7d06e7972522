/**
 * `npm run bench`: figures with what they are held against, both measured in this run, in turns.
 * `-- --json` prints JSON; `-- --cpu-prof=FOLDER` leaves a CPU profile of the server that takes the
 * commands there.
 */
import { measureCommands } from './commands.ts';
import { measureDoors } from './doors.ts';
import { type Figure, table } from './figures.ts';
import { measureLists } from './lists.ts';
import { measureStarts } from './starts.ts';
import { openBench } from './stores.ts';

const json = process.argv.includes('--json');
const profile = process.argv.find((each) => each.startsWith('--cpu-prof='))?.slice(11) ?? null;

const bench = await openBench();
const figures: Figure[] = [];
try {
  const measure = async (what: string, measured: () => Promise<Figure[]>): Promise<void> => {
    process.stderr.write(`${what} …\n`);
    figures.push(...(await measured()));
  };
  await measure('commands', () => measureCommands(bench, profile));
  const fleets = {
    small: await bench.createDatabase(100),
    large: await bench.createDatabase(10_000),
  };
  await measure('lists', () => measureLists(bench, fleets));
  await measure('starts', () => measureStarts(bench, fleets));
  await measure('doors', () => measureDoors(bench));
} finally {
  await bench.close();
}
process.stdout.write(json ? `${JSON.stringify(figures, null, 2)}\n` : `${table(figures)}\n`);
