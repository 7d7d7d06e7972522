/** The lines of an instance's log as they come, each once, also where the stream begins again. */
import { type Signal, signal } from '@preact/signals';
import { keepOpen } from '../resource/keep-open.ts';

export interface LogLine {
  readonly number: number;
  readonly at: string;
  readonly level: string;
  readonly text: string;
  readonly run: string;
  /** Lines of the run before it that are not here: not kept, or passed while the stream was away. */
  readonly missing: number;
  /** Did another run write the line before it? */
  readonly beginsRun: boolean;
}

export interface LogLines {
  /** In the order of the stream; the oldest are dropped. */
  readonly lines: Signal<readonly LogLine[]>;
  readonly dropped: Signal<number>;
  /** Why none come now; empty: they come. */
  readonly problem: Signal<string>;
  close(): void;
}

const tail = 500;
const mostLines = 1_000;

export function followLog(instance: string): LogLines {
  const lines = signal<readonly LogLine[]>([]);
  const dropped = signal(0);
  const problem = signal('');
  /** The newest number of each run; a stream that begins again sends its tail again. */
  const newest = new Map<string, number>();
  let waiting: LogLine[] = [];
  let frame = 0;

  /** Lines come in bursts; they are shown once a frame. */
  function flush(): void {
    frame = 0;
    const all = [...lines.peek(), ...waiting];
    waiting = [];
    dropped.value += Math.max(0, all.length - mostLines);
    lines.value = all.slice(-mostLines);
  }
  const unsubscribe = keepOpen<{ instanceLogs: LogLine }>(
    {
      query: `subscription Logs($instance: ID!) {
        instanceLogs(instance: $instance, tail: ${tail}) { number at level text run }
      }`,
      variables: { instance },
    },
    ({ data }) => {
      const line = data?.instanceLogs;
      if (!line) return;
      problem.value = '';
      const before = newest.get(line.run);
      if (before !== undefined && line.number <= before) return;
      const missing = before === undefined ? 0 : line.number - before - 1;
      const beginsRun = before === undefined && newest.size > 0;
      newest.set(line.run, line.number);
      waiting.push({ ...line, missing, beginsRun });
      frame ||= requestAnimationFrame(flush);
    },
    (message) => {
      problem.value = message;
    },
  );
  return {
    lines,
    dropped,
    problem,
    close() {
      unsubscribe();
      cancelAnimationFrame(frame);
    },
  };
}
