/** The log of an instance, as it is written. */
import { useSignal } from '@preact/signals';
import { Fragment, type VNode } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { CopyButton } from '../part/copy-button.tsx';
import { Section } from '../part/section.tsx';
import { count, words } from '../part/words.ts';
import { followLog, type LogLine, type LogLines } from './log-lines.ts';

const levels = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
const clock = new Intl.DateTimeFormat(undefined, {
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 },
  hourCycle: 'h23',
});

export function Logs({ instance }: { instance: string }) {
  const log = useMemo(() => followLog(instance), [instance]);
  useEffect(() => () => log.close(), [log]);
  const least = useSignal<string>('DEBUG');
  const search = useSignal('');
  /** The lines that stand while the view is paused; null: it follows. */
  const paused = useSignal<readonly LogLine[] | null>(null);
  const all = log.lines.value;
  const lines = paused.value ?? all;
  const wanted = search.value.toLowerCase();
  const shown = lines.filter(
    ({ level, text }) =>
      rankOf(level) >= rankOf(least.value) && text.toLowerCase().includes(wanted),
  );
  const isFiltered = shown.length < lines.length;
  return (
    <Section
      id="logs"
      title="Logs"
      tools={
        <>
          <label>
            <span class="unseen">Least level</span>
            <select
              value={least.value}
              onChange={({ currentTarget }) => {
                least.value = currentTarget.value;
              }}
            >
              {levels.map((level) => (
                <option key={level} value={level}>
                  {level === 'DEBUG' ? 'All levels' : `${words(level)} and above`}
                </option>
              ))}
            </select>
          </label>
          <label>
            <span class="unseen">Search the log</span>
            <input
              type="search"
              placeholder="Search"
              value={search.value}
              onInput={({ currentTarget }) => {
                search.value = currentTarget.value;
              }}
            />
          </label>
          <button
            type="button"
            onClick={() => {
              paused.value = paused.value ? null : all;
            }}
          >
            {paused.value ? 'Follow again' : 'Pause the view'}
          </button>
          <CopyButton text={() => shown.map(plainText).join('\n')} of="the lines shown" />
        </>
      }
    >
      <LogView lines={shown} isFiltered={isFiltered} isPaused={paused.value !== null} />
      <p class="quiet log-status" role="status">
        {paused.value
          ? `Paused; ${count(newer(log, paused.value), 'newer line')}.`
          : `${count(shown.length, 'line')}${isFiltered ? ` of ${lines.length.toLocaleString()}` : ''}.`}
        {log.dropped.value > 0 && ` ${count(log.dropped.value, 'older line')} not kept here.`}
      </p>
      {log.problem.value && <p role="status">{log.problem.value}</p>}
    </Section>
  );
}

/** A level that this page does not know yet is shown always. */
function rankOf(level: string): number {
  const rank = levels.indexOf(level as (typeof levels)[number]);
  return rank < 0 ? levels.length : rank;
}

/** How many came after those that stand. */
function newer({ lines, dropped }: LogLines, standing: readonly LogLine[]): number {
  const last = standing.at(-1);
  const at = last ? lines.value.lastIndexOf(last) : -1;
  return at >= 0 ? lines.value.length - 1 - at : lines.value.length + dropped.value;
}

const plainText = ({ at, level, text }: LogLine): string => `${at} ${level} ${text}`;

/** Stays at the end, unless it was scrolled away from there. */
function LogView({
  lines,
  isFiltered,
  isPaused,
}: {
  lines: readonly LogLine[];
  isFiltered: boolean;
  isPaused: boolean;
}) {
  const element = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    const view = element.current;
    if (view && isAtEnd.current && !isPaused) view.scrollTop = view.scrollHeight;
  }, [lines, isPaused]);
  return (
    <div
      ref={element}
      class="log"
      role="log"
      aria-live="off"
      aria-label="Log of the instance"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls needs the keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 30;
      }}
    >
      {lines.length === 0 && (
        <p class="quiet">{isFiltered ? 'No line matches.' : 'No line has come yet.'}</p>
      )}
      {lines.map(lineOf)}
    </div>
  );
}

/** Each line is made once: thousands of equal ones are not compared with every new one. */
const made = new WeakMap<LogLine, VNode>();

function lineOf(line: LogLine): VNode {
  const vnode = made.get(line) ?? makeLine(line);
  made.set(line, vnode);
  return vnode;
}

const makeLine = ({ number, at, level, text, run, missing, beginsRun }: LogLine): VNode => (
  <Fragment key={`${run} ${number}`}>
    {beginsRun && <p class="log-run">Run {run}</p>}
    {missing > 0 && <p class="log-run">{count(missing, 'line')} not kept</p>}
    <p class="log-line" data-level={level}>
      <time dateTime={at}>{clock.format(new Date(at))}</time> <b>{level}</b> {text}
    </p>
  </Fragment>
);
