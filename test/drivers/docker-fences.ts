/** Fences in memory: those of one server, or of several that share them. */
import type { Fences } from '../../src/drivers/docker/fence.ts';

export function createFences(): Fences {
  const greatest = new Map<string, bigint>();
  return {
    async raise(subject, token) {
      const seen = greatest.get(subject) ?? -1n;
      if (token > seen) greatest.set(subject, token);
      return token > seen ? token : seen;
    },
  };
}
