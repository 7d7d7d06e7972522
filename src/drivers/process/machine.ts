/** This machine as an engine, and what the driver holds on it. */
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Driver, Engine, Holding } from '../driver.ts';
import { hostFiles, type RuntimeRecord, readJson } from './files.ts';
import { isAlive } from './identity.ts';

/** Everything is local, so nothing takes long. */
export const processLimits: Driver['limits'] = {
  inspectEngine: 5,
  listHoldings: 10,
  allocateHost: 60,
  checkHost: 10,
  restartHost: 120,
  releaseHost: 60,
  deployContainer: 300,
  startRuntime: 60,
  stopRuntime: 5,
  killRuntime: 4,
  removeRuntime: 4,
  inspectRuntime: 5,
};

export function inspectMachine(): Engine {
  return {
    version: `Node ${process.versions.node}`,
    platform: `${process.platform}/${process.arch}`,
    capacity: { cpus: availableParallelism(), memoryBytes: totalmem() },
  };
}

/** The hosts of a folder, and the runtimes on them that are alive. */
export function holdingsOf(folder: string): Holding[] {
  return readdirSync(join(folder, 'hosts')).flatMap((hostId) => {
    const { runtimes } = hostFiles(join(folder, 'hosts', hostId));
    const names = existsSync(runtimes) ? readdirSync(runtimes) : [];
    const alive = names.flatMap((name): Holding[] => {
      const run = readJson<RuntimeRecord>(join(runtimes, name))?.run;
      if (!run?.identity || run.exit || !isAlive(run.identity)) return [];
      const instanceId = name.replace(/\.json$/, '');
      return [{ hostId, runtime: { instanceId, runId: run.runId }, hasExited: false }];
    });
    return [{ hostId, runtime: null }, ...alive];
  });
}
