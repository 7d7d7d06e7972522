/**
 * Memory of idle processes, as Linux shows it: what is resident (RSS), what of it is not a file's (RssAnon),
 * and the share of what several processes have in common (PSS). Each side has a process of its own, in turns.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { held } from './feed/aims.ts';
import { type Figure, figure, median } from './figures.ts';
import { deployFleet, processesOf, removeFleet, untilRunning } from './running-fleet.ts';
import { type ServerProcess, startBare, startServer } from './server.ts';
import type { Bench } from './stores.ts';

const rounds = 3;
const runtimes = 50;
/** An idle process: so many looks, one second apart, that differ by so much at most. */
const looks = 10;
const settledMegabytes = 1;
const giveUpSeconds = 60;

/** Megabytes (2^20 bytes). */
interface Memory {
  readonly rss: number;
  readonly anonymous: number;
  readonly pss: number;
}
type Samples = Record<'embedded' | 'pglite' | 'server' | 'postgres', Memory[]>;

const sampleData = { SAMPLE_DATA: 'on' };
/** Many starts at once are no failure on a busy machine. */
const patient = Object.fromEntries(
  ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING'].map((state) => [
    `INSTANCE_${state}_DEADLINE_SECONDS`,
    '900',
  ]),
);

export async function measureMemory(bench: Bench): Promise<Figure[]> {
  const found: Samples = { embedded: [], pglite: [], server: [], postgres: [] };
  const dataDir = await bench.createFolder();
  const first = await startServer({ dataDir, settings: sampleData });
  await deployFleet(first, 1);
  await first.stop();
  const { url: databaseUrl } = await bench.createDatabase(0);
  for (let round = 0; round < rounds; round += 1) {
    // The runtime lives on between the rounds, as it does while a server is started anew.
    const server = await startServer({ dataDir, settings: sampleData });
    await untilRunning(server, 1);
    await measure(found.embedded, server, round === rounds - 1 ? removeFleet : undefined);
    const where = join(dataDir, 'pglite');
    await measure(found.pglite, await startBare({ kind: 'pglite', where }));
    const folder = await bench.createFolder();
    await measure(found.server, await startServer({ dataDir: folder, databaseUrl }));
    await measure(found.postgres, await startBare({ kind: 'postgres', where: databaseUrl }));
  }
  return [
    ...besideBare('server, embedded store, one instance', found.embedded, {
      of: found.pglite,
      name: 'bare PGlite',
      atMost: 1.4,
    }),
    ...atMost('server on PostgreSQL', found.server, {
      of: found.postgres,
      name: 'bare postgres.js',
      megabytes: 110,
    }),
  ];
}

/** So many runtimes on one host, its agent, and the server of them, which is on PostgreSQL. */
export async function measureRuntimes(bench: Bench): Promise<Figure[]> {
  const dataDir = await bench.createFolder();
  const { url: databaseUrl } = await bench.createDatabase(0);
  const server = await startServer({
    dataDir,
    databaseUrl,
    settings: { ...sampleData, ...patient },
  });
  try {
    await deployFleet(server, runtimes);
    const node: Memory[] = [];
    for (let round = 0; round < rounds; round += 1) await measure(node, await startBare());
    const { agents, runtimes: pids } = processesOf(dataDir);
    if (pids.length !== runtimes) throw new Error(`There are ${pids.length} runtimes.`);
    const [ofServer, ofAgents, ofRuntimes] = await Promise.all(
      [[server.pid], agents, pids].map((each) => Promise.all(each.map(settledMemory))),
    );
    const beside = { of: node, name: 'bare Node' };
    return [
      ...atMost(`one of ${runtimes} runtimes`, ofRuntimes ?? [], { ...beside, megabytes: 50 }),
      ...besideBare('agent of their host', ofAgents ?? [], beside),
      ...besideBare('server of them, on PostgreSQL', ofServer ?? [], beside),
    ];
  } finally {
    await removeFleet(server);
    await server.stop();
  }
}

interface Reference {
  readonly of: readonly Memory[];
  readonly name: string;
}

function besideBare(
  what: string,
  samples: readonly Memory[],
  { of, name, atMost }: Reference & { atMost?: number },
): Figure[] {
  const aim = atMost === undefined ? {} : { atMost };
  return [
    figure(`RSS of the ${what}, beside ${name}, MB`, middle(samples, 'rss'), {
      reference: middle(of, 'rss'),
      ...aim,
    }),
    ...details(samples, of),
  ];
}

function atMost(
  what: string,
  samples: readonly Memory[],
  { of, name, megabytes }: Reference & { megabytes: number },
): Figure[] {
  return [
    held(`RSS of the ${what}, beside ${name}, MB`, middle(samples, 'rss'), {
      reference: middle(of, 'rss'),
      atMost: megabytes,
    }),
    ...details(samples, of),
  ];
}

function details(samples: readonly Memory[], of: readonly Memory[]): Figure[] {
  return (['anonymous', 'pss'] as const).map((key) =>
    figure(key === 'pss' ? '  PSS, MB' : '  RssAnon, MB', middle(samples, key), {
      reference: middle(of, key),
    }),
  );
}

const middle = (samples: readonly Memory[], key: keyof Memory): number =>
  median(samples.map((each) => each[key]));

async function measure(
  into: Memory[],
  process: ServerProcess,
  atTheEnd?: (process: ServerProcess) => Promise<void>,
): Promise<void> {
  try {
    into.push(await settledMemory(process.pid));
    await atTheEnd?.(process);
  } finally {
    await process.stop();
  }
}

/** The memory of a process once it is idle. */
async function settledMemory(pid: number): Promise<Memory> {
  const seen: Memory[] = [];
  for (let second = 0; second < giveUpSeconds; second += 1) {
    const memory = memoryOf(pid);
    seen.push(memory);
    const last = seen.slice(-looks).map(({ rss }) => rss);
    if (last.length === looks && Math.max(...last) - Math.min(...last) <= settledMegabytes)
      return memory;
    await sleep(1000);
  }
  // A server of many runtimes is never idle.
  process.stderr.write(`The memory of process ${pid} does not settle; this is its last.\n`);
  return memoryOf(pid);
}

function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const megabytes = (text: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) / 1024;
  return {
    rss: megabytes(status, 'VmRSS'),
    anonymous: megabytes(status, 'RssAnon'),
    pss: megabytes(rollup, 'Pss'),
  };
}
