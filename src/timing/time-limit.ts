/** Time limits for work that may never end. A timer is cleared as soon as the work has ended. */

/** The reason of a signal that was aborted because the time was over. */
export class TimeLimitReached extends Error {
  override readonly name = 'TimeLimitReached';
}

/** Rejects with the error of `late` if the work takes longer. The work itself is not ended. */
export async function withTimeLimit<T>(
  milliseconds: number,
  work: Promise<T>,
  late: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), milliseconds);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the work has ended, failed or not, and after the limit in any case. */
export async function waitAtMost(
  milliseconds: number,
  work: Promise<unknown> | null | undefined,
): Promise<void> {
  await withTimeLimit(milliseconds, Promise.resolve(work), () => new Error()).catch(
    () => undefined,
  );
}

/**
 * Runs work under a signal that aborts with `outer`, and after the limit. Not `AbortSignal.any` with
 * `AbortSignal.timeout`: on Node 20 such a time limit may be collected before it fires, and a long-lived
 * `outer` keeps every signal made from it.
 */
export async function runWithin<T>(
  milliseconds: number,
  outer: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort(outer.reason);
  if (outer.aborted) abort();
  outer.addEventListener('abort', abort, { once: true });
  const timer = setTimeout(
    () =>
      controller.abort(new TimeLimitReached(`It was not done within ${milliseconds / 1000} s.`)),
    milliseconds,
  );
  try {
    return await run(controller.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', abort);
  }
}
