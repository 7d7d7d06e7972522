/**
 * Cooperative scheduling of work that can wait: when thousands of clients resume at once, their work runs in
 * time slices, and between slices the event loop serves sockets and timers, so that leases are renewed.
 */

/** Length of a time slice, in milliseconds. */
const sliceMs = 5;

/** One queue per process, because the process has one thread. */
let waiting: (() => void)[] = [];
let isRunning = false;

/** Resolves when the caller may run, until its next `await` of something that is not settled yet. */
export function nextTimeSlice(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (isRunning) return;
    isRunning = true;
    setImmediate(run);
  });
}

async function run(): Promise<void> {
  const until = performance.now() + sliceMs;
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

/** Resolves when all settled promises have run their callbacks: the next tick follows the microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
