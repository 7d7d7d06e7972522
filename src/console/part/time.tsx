/** A time relative to now, with the exact one beside it, in the viewer's zone. */
import { signal } from '@preact/signals';

/** How far the clock of the server is ahead of the browser's. Zero: they differ by little. */
let ahead = 0;
const toleratedMilliseconds = 5_000;

/** Now by the clock of the server, whose times the page shows. */
export const timeNow = (): number => Date.now() + ahead;

/** Up to when what the page shows is confirmed, where that is not now. */
let held: number | null = null;

/** Now, to the second, shared by all times of the page. While there is no connection it stands still. */
export const now = signal(timeNow());
setInterval(() => {
  if (!document.hidden) now.value = held ?? timeNow();
}, 1000);

/** Lets `now` stand still at this time; null: it goes on. */
export function holdNow(at: Date | null): void {
  held = at?.getTime() ?? null;
  now.value = held ?? timeNow();
}

/** Takes over a time of the server that has just been received; `took`: how long that was waited for. */
export function setServerTime(at: string, took: number): void {
  if (took > toleratedMilliseconds) return;
  const difference = Date.parse(at) - Date.now();
  ahead = Math.abs(difference) > toleratedMilliseconds ? difference : 0;
  now.value = held ?? timeNow();
}

const exactFormat = new Intl.DateTimeFormat(undefined, {
  dateStyle: 'medium',
  timeStyle: 'medium',
});
const zonedFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' });
const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

const units = [
  { name: 'd', seconds: 86_400 },
  { name: 'h', seconds: 3_600 },
  { name: 'min', seconds: 60 },
  { name: 's', seconds: 1 },
] as const;

/** `3 min`, `2 d 4 h`: the two largest units. */
export function duration(milliseconds: number): string {
  let rest = Math.max(0, Math.floor(milliseconds / 1000));
  const parts: string[] = [];
  for (const { name, seconds } of units) {
    const count = Math.floor(rest / seconds);
    if (count > 0) parts.push(`${count}\u00a0${name}`);
    rest -= count * seconds;
    if (parts.length === 2) break;
  }
  return parts.join(' ') || '0\u00a0s';
}

/** The same, with tenths of a second below ten seconds, and in milliseconds below one. */
export function preciseDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))}\u00a0ms`;
  return milliseconds < 10_000
    ? `${(milliseconds / 1000).toFixed(1)}\u00a0s`
    : duration(milliseconds);
}

/** With `exact` the clock alone: for what does not get older. */
export function Time({ at, exact = false }: { at: Date | string; exact?: boolean }) {
  const date = typeof at === 'string' ? new Date(at) : at;
  const isToday = date.toDateString() === new Date(timeNow()).toDateString();
  const text = exact
    ? (isToday ? clockFormat : exactFormat).format(date)
    : `${duration(now.value - date.getTime())} ago`;
  return (
    <time dateTime={date.toISOString()} title={zonedFormat.format(date)}>
      {text}
    </time>
  );
}
