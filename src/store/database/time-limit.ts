/** Time limits for statements on a database that may never answer. */

/**
 * Rejects if the promise takes longer: a statement on a silently cut connection stays open for
 * minutes.
 */
export async function within<T>(seconds: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = Object.assign(new Error(`The database has not answered for ${seconds} s.`), {
      code: 'CONNECTION_SILENT',
    });
    timer = setTimeout(() => reject(error), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
