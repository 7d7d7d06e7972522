/** The span of time that the picture of a history shows. */
import { type Signal, signal } from '@preact/signals';
import { now } from '../part/time.tsx';

const shortestMs = 2_000;
const longestMs = 10 * 365 * 86_400_000;

export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

export interface LaneWindow {
  /** How long a span is shown. */
  readonly lengthMs: Signal<number>;
  /** Where it ends; null: now, and it moves with the time. */
  readonly end: Signal<number | null>;
  span(): TimeSpan;
  show(span: TimeSpan): void;
  /** Shows the last so many milliseconds, and follows. */
  showLast(ms: number): void;
  /** By a part of the shown span; negative: into the past. */
  pan(part: number): void;
  /** `factor` below 1 shows less; the moment `at` stays where it is. */
  zoom(factor: number, at?: number): void;
}

export function createLaneWindow(lengthAtFirst: number): LaneWindow {
  const lengthMs = signal(limited(lengthAtFirst));
  const end = signal<number | null>(null);
  /** A little behind now, so that the present state has an end to be seen. */
  const latest = (length: number): number => now.value + length * 0.02;

  function span(): TimeSpan {
    const to = end.value ?? latest(lengthMs.value);
    return { from: to - lengthMs.value, to };
  }
  function show({ from, to }: TimeSpan): void {
    const length = limited(to - from);
    lengthMs.value = length;
    end.value = to >= latest(length) - length * 0.005 ? null : to;
  }
  return {
    lengthMs,
    end,
    span,
    show,
    showLast(ms) {
      lengthMs.value = limited(ms);
      end.value = null;
    },
    pan(part) {
      const { from, to } = span();
      const by = part * (to - from);
      show({ from: from + by, to: to + by });
    },
    zoom(factor, at) {
      const { from, to } = span();
      const middle = at ?? (end.value === null ? to : (from + to) / 2);
      const length = limited((to - from) * factor);
      const share = (middle - from) / (to - from);
      show({ from: middle - share * length, to: middle + (1 - share) * length });
    },
  };
}

const limited = (ms: number): number => Math.min(longestMs, Math.max(shortestMs, ms));

const steps = [
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * 1000),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * 60_000),
  ...[1, 2, 3, 6, 12].map((hours) => hours * 3_600_000),
  ...[1, 2, 7, 14, 28, 91, 365].map((days) => days * 86_400_000),
];
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const minute = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });

/** The marks of the axis, so many at most, at round times of the viewer's zone. */
export function marksOf({ from, to }: TimeSpan, most: number): { at: number; text: string }[] {
  const step = steps.find((each) => (to - from) / each <= most) ?? steps.at(-1)!;
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const format = step < 60_000 ? clock : step < 86_400_000 ? minute : day;
  const marks: { at: number; text: string }[] = [];
  const first = Math.ceil((from - offset) / step) * step + offset;
  for (let at = first; at <= to && marks.length <= most; at += step)
    marks.push({ at, text: format.format(at) });
  return marks;
}
