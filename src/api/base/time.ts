/** Times as text: RFC 3339, of dates that exist. `new Date` would take 31 November for 1 December. */

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:Z|([+-])(\d\d):(\d\d))$/i;

/**
 * The moment that an RFC 3339 time names; null if it is none.
 *
 * Taken are hours 00 to 23, offsets to ±23:59 (`-00:00` is UTC), fractions of any length, of which
 * milliseconds are kept, and moments within the years 0001 to 9999 UTC, which PostgreSQL and RFC 3339
 * both have. A leap second, 23:59:60 UTC at the end of June or December, is the second after it.
 */
export function parseTime(text: string): Date | null {
  const parts = rfc3339.exec(text);
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as Numbers;
  const offset = Number(parts[9] ?? 0) * 60 + Number(parts[10] ?? 0);
  if (hour > 23 || minute > 59 || second > 60) return null;
  if (Number(parts[9] ?? 0) > 23 || Number(parts[10] ?? 0) > 59) return null;
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  if (time.getUTCMonth() !== month - 1 || time.getUTCDate() !== day) return null;
  const milliseconds = Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3));
  time.setUTCHours(hour, minute - (parts[8] === '-' ? -offset : offset), second, milliseconds);
  if (second === 60 && !isAfterLeapSecond(time)) return null;
  const utcYear = time.getUTCFullYear();
  return utcYear >= 1 && utcYear <= 9999 ? time : null;
}

type Numbers = [number, number, number, number, number, number];

/** Is it within the first second of January or July? */
function isAfterLeapSecond(time: Date): boolean {
  const isFirst = time.getUTCDate() === 1 && time.getUTCMonth() % 6 === 0;
  return isFirst && time.getUTCHours() === 0 && time.getUTCMinutes() === 0;
}
