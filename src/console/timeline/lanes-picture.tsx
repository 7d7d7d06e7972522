/**
 * The history as a picture: a lane of spans for each resource over one axis of time, operations as
 * brackets above. Arrow keys go from span to span, + and - zoom, Shift with an arrow pans; a wheel with
 * Ctrl and two fingers zoom, dragging pans.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { appearanceOf } from '../part/state-sign.tsx';
import { now } from '../part/time.tsx';
import { statusWord, words } from '../part/words.ts';
import type { Operation } from '../resource/model.ts';
import { followGestures } from './lane-gestures.ts';
import { type LaneWindow, marksOf, type TimeSpan } from './lane-window.ts';
import type { Lane, Span } from './lanes.ts';
import { SpanText } from './span-text.tsx';

const height = { brackets: 24, lane: 34, gap: 20, axis: 24 } as const;

export interface Chosen {
  readonly lane: number;
  readonly index: number;
}

export function LanesPicture({
  lanes,
  operations,
  view,
}: {
  lanes: readonly Lane[];
  operations: readonly Operation[];
  view: LaneWindow;
}) {
  const element = useRef<SVGSVGElement>(null);
  const width = useSignal(800);
  const chosen = useSignal<Chosen | null>(null);
  const hovered = useSignal<Chosen | null>(null);
  useEffect(() => {
    const svg = element.current;
    if (!svg) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) width.value = Math.max(200, entry.contentRect.width);
    });
    observer.observe(svg);
    const stop = followGestures(svg, view);
    return () => {
      observer.disconnect();
      stop();
    };
  }, [view]);
  const span = view.span();
  const pointed = hovered.value ?? chosen.value;
  const lane = pointed && lanes[pointed.lane];
  const shown = pointed ? lane?.spans[pointed.index] : undefined;
  const total = height.brackets + lanes.length * (height.lane + height.gap) + height.axis;
  const move = (to: Chosen | null): void => {
    chosen.value = to;
    const target = to && lanes[to.lane]?.spans[to.index];
    if (target) reveal(view, target);
  };
  return (
    <div class="lanes">
      <svg
        ref={element}
        class="lanes-picture"
        height={total}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keys move within the picture
        tabIndex={0}
        role="application"
        aria-label="History as a picture"
        aria-describedby="lanes-keys"
        onKeyDown={(event) => onKey(event, { lanes, view, chosen: chosen.peek(), move })}
        onFocus={() => {
          if (!chosen.peek()) move(lastOf(lanes, 0));
        }}
        onBlur={() => move(null)}
        onMouseLeave={() => {
          hovered.value = null;
        }}
      >
        <Axis span={span} width={width.value} height={total} />
        <Brackets operations={operations} span={span} width={width.value} />
        {lanes.map((each, index) => (
          <LaneRow
            key={each.key}
            lane={each}
            y={height.brackets + index * (height.lane + height.gap)}
            span={span}
            width={width.value}
            chosen={chosen.value?.lane === index ? chosen.value.index : null}
            onHover={(at) => {
              hovered.value = { lane: index, index: at };
            }}
            onChoose={(at) => {
              chosen.value = { lane: index, index: at };
            }}
          />
        ))}
      </svg>
      <p class="lanes-readout" aria-live="polite">
        {lane && shown ? (
          <SpanText lane={lane} span={shown} />
        ) : (
          <span class="quiet">Point at a span, or move with the arrow keys, to read it.</span>
        )}
      </p>
      <p class="unseen" id="lanes-keys">
        Left and right arrow: from state to state. Up and down: from lane to lane. Plus and minus:
        zoom. Shift with an arrow: earlier or later. Home: all. End: now.
      </p>
    </div>
  );
}

const lastOf = (lanes: readonly Lane[], lane: number): Chosen => ({
  lane,
  index: (lanes[lane]?.spans.length ?? 1) - 1,
});

function reveal(view: LaneWindow, { from, to }: Span): void {
  const shown = view.span();
  const length = shown.to - shown.from;
  const end = to ?? now.peek();
  if (end >= shown.from && from <= shown.to) return;
  const middle = end < shown.from ? end : from;
  view.show({ from: middle - length / 2, to: middle + length / 2 });
}

function onKey(
  event: KeyboardEvent,
  about: {
    lanes: readonly Lane[];
    view: LaneWindow;
    chosen: Chosen | null;
    move: (to: Chosen) => void;
  },
): void {
  const { lanes, view, move } = about;
  const at = about.chosen ?? lastOf(lanes, 0);
  const last = lastOf(lanes, at.lane).index;
  const along = (by: number) =>
    event.shiftKey
      ? view.pan(by * 0.25)
      : move({ ...at, index: Math.min(last, Math.max(0, at.index + by)) });
  const across = (by: number) => {
    const lane = Math.min(lanes.length - 1, Math.max(0, at.lane + by));
    const moment = lanes[at.lane]?.spans[at.index]?.from ?? 0;
    const index = lanes[lane]?.spans.findLastIndex(({ from }) => from <= moment) ?? 0;
    move({ lane, index: Math.max(0, index) });
  };
  const keys: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => along(-1),
    ArrowRight: () => along(1),
    ArrowUp: () => across(-1),
    ArrowDown: () => across(1),
    '+': () => view.zoom(0.5),
    '=': () => view.zoom(0.5),
    '-': () => view.zoom(2),
    End: () => view.showLast(view.lengthMs.peek()),
    Home: () => showAll(view, lanes),
  };
  const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** From the creation of the first lane's resource on. */
export function showAll(view: LaneWindow, lanes: readonly Lane[]): void {
  const begin = lanes[0]?.createdAt ?? lanes[0]?.spans[0]?.from ?? Number.NaN;
  if (Number.isFinite(begin)) view.showLast((now.peek() - begin) * 1.05);
}

const xOf = (at: number, { from, to }: TimeSpan, width: number): number =>
  Math.min(width + 50, Math.max(-50, ((at - from) / (to - from)) * width));

function LaneRow({
  lane,
  y,
  span,
  width,
  chosen,
  onHover,
  onChoose,
}: {
  lane: Lane;
  y: number;
  span: TimeSpan;
  width: number;
  chosen: number | null;
  onHover: (index: number) => void;
  onChoose: (index: number) => void;
}) {
  const end = now.value;
  return (
    <g transform={`translate(0 ${y})`}>
      <text class="lane-name" x="2" y="13">
        {lane.kind === 'HOST' ? 'Host' : 'Instance'} {lane.key}
      </text>
      {lane.spans.map(({ state, from, to }, index) => {
        const last = to ?? Math.max(end, from);
        if (last < span.from || from > span.to) return null;
        const x = xOf(from, span, width);
        const long = Math.max(2, xOf(last, span, width) - x);
        const { tone, word } = appearanceOf(lane.kind, state);
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: the keys of the picture do the same
          <g
            key={from}
            class="span"
            data-tone={tone}
            data-chosen={chosen === index || undefined}
            onMouseEnter={() => onHover(index)}
            onClick={() => onChoose(index)}
          >
            <rect x={x} y={18} width={long} height={height.lane - 2} />
            {to === null && lane.confirmedUntil !== null && (
              <Unconfirmed x={Math.max(x, xOf(lane.confirmedUntil, span, width))} end={x + long} />
            )}
            {long > word.length * 8 + 12 && (
              <text x={Math.max(x, 0) + 6} y={18 + height.lane / 2 + 4}>
                {long - Math.max(0, -x) > word.length * 8 + 12 ? word : ''}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}

/** The part of a span that is not confirmed. */
function Unconfirmed({ x, end }: { x: number; end: number }) {
  return (
    <rect
      class="not-confirmed-span"
      x={x}
      y={18}
      width={Math.max(0, end - x)}
      height={height.lane - 2}
    >
      <title>Not confirmed</title>
    </rect>
  );
}

function Brackets({
  operations,
  span,
  width,
}: {
  operations: readonly Operation[];
  span: TimeSpan;
  width: number;
}) {
  return (
    <g class="brackets">
      {operations.map(({ id, kind, status, createdAt, endedAt }) => {
        const [from, to] = [Date.parse(createdAt), endedAt ? Date.parse(endedAt) : now.value];
        if (to < span.from || from > span.to) return null;
        const x = xOf(from, span, width);
        const end = Math.max(x + 3, xOf(to, span, width));
        const isFailed = status === 'FAILED' || status === 'TIMED_OUT';
        return (
          <g key={id} data-failed={isFailed || undefined}>
            <title>{`${words(kind)}: ${statusWord(status)}`}</title>
            <path d={`M${x} 24V16H${end}V24`} />
            {end - x > kind.length * 7 && (
              <text x={Math.max(x, 0) + 2} y="12">
                {words(kind)}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}

/** At most: a text that would not end within the picture is left out. */
const axisCharacterWidth = 7;

function Axis({ span, width, height: total }: { span: TimeSpan; width: number; height: number }) {
  const marks = useMemo(
    () => marksOf(span, Math.max(2, Math.floor(width / 110))),
    [span.from, span.to, width],
  );
  return (
    <g class="axis">
      {marks.map(({ at, text }) => {
        const x = xOf(at, span, width);
        return (
          <g key={at}>
            <path d={`M${x} ${height.brackets}V${total - height.axis + 6}`} />
            {x + 3 + text.length * axisCharacterWidth <= width && (
              <text x={x + 3} y={total - 6}>
                {text}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}
