/**
 * Turns of work that can wait: of thousands who come back at once each has one after the other, and
 * between them the process looks at its sockets and timers, so that its leases stay alive.
 */

/** Milliseconds of turns between two looks. */
const SLICE_MS = 5;

/** Of the whole process, as its one thread is. */
let waiting: (() => void)[] = [];
let isRunning = false;

/** Resolves when it is one's turn, which lasts until the next `await` of what is not there yet. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (isRunning) return;
    isRunning = true;
    setImmediate(run);
  });
}

async function run(): Promise<void> {
  const until = performance.now() + SLICE_MS;
  while (waiting.length > 0) {
    const taken = waiting;
    waiting = [];
    for (const [at, begin] of taken.entries()) {
      if (performance.now() >= until) {
        waiting = [...taken.slice(at), ...waiting];
        setImmediate(run);
        return;
      }
      begin();
      await settled();
    }
  }
  isRunning = false;
}

/** All that can go on has gone on: a tick comes when no promise has anything left to call. */
function settled(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
