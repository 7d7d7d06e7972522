/** The pattern of a listener's topics, `devices/{device}/{type}`. */
import type { Addressed } from '../intake.ts';

/** What a topic names; undefined: it does not match. */
export function addressedBy(pattern: string, topic: string): Addressed | undefined {
  // Wildcards, and what was no UTF-8.
  if (/[+#\uFFFD]/.test(topic)) return undefined;
  const wanted = pattern.split('/');
  const levels = topic.split('/');
  if (levels.length !== wanted.length) return undefined;
  const addressed: { device?: string; type?: string } = {};
  for (const [index, level] of levels.entries()) {
    const place = wanted[index];
    if (place === '{device}') addressed.device = level;
    else if (place === '{type}') addressed.type = level;
    else if (place !== level) return undefined;
  }
  return addressed;
}
