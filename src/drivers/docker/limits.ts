/** How long the verbs of an engine may take. */
import type { Driver } from '../driver.ts';

/** Time for runtimes to end by themselves where their host ends. */
export const stopGraceSeconds = 10;

export const dockerLimits: Driver['limits'] = {
  inspectEngine: 10,
  listHoldings: 30,
  allocateHost: 60,
  checkHost: 10,
  restartHost: 120,
  releaseHost: 120,
  // The deadline of the stage ends it earlier, where that is shorter.
  deployContainer: 3600,
  startRuntime: 120,
  stopRuntime: 10,
  killRuntime: 15,
  removeRuntime: 15,
  inspectRuntime: 10,
};
