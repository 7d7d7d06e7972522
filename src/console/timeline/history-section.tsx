/** The history of a resource, and of the host that it runs on: as a picture and as a list. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { Section } from '../part/section.tsx';
import type { ResourceKind } from '../part/state-sign.tsx';
import { now } from '../part/time.tsx';
import { firstOfRun } from '../resource/machine-layout.ts';
import type { Resource } from '../resource/model.ts';
import { HistoryList } from './history-list.tsx';
import { createLaneWindow, type LaneWindow } from './lane-window.ts';
import { type Lane, spansOf } from './lanes.ts';
import { LanesPicture, showAll } from './lanes-picture.tsx';
import { type Timeline, watchTimeline } from './timeline.ts';
import './timeline.css';

const hour = 3_600_000;
const presets = [
  { name: '5 min', ms: hour / 12 },
  { name: '1 h', ms: hour },
  { name: '24 h', ms: 24 * hour },
] as const;

/** The timeline of a resource that exists; closed with the view. */
export function useTimeline(kind: ResourceKind, key: string | null): Timeline | null {
  const timeline = useMemo(() => (key === null ? null : watchTimeline(kind, key)), [kind, key]);
  useEffect(() => () => timeline?.close(), [timeline]);
  return timeline;
}

interface Shown {
  readonly kind: ResourceKind;
  readonly resource: Resource;
  readonly timeline: Timeline;
  /** Up to when the state is confirmed; null: it is now. */
  readonly confirmedUntil: string | null;
}

/** `host`: the lane beneath that of an instance. */
export function HistorySection({
  kind,
  resource,
  timeline,
  confirmedUntil,
  host,
}: Shown & { host: { readonly key: string; readonly state: string; timeline: Timeline } | null }) {
  const lanes: readonly Lane[] = [
    {
      ...laneOf(kind, resource.key, resource.state, timeline),
      confirmedUntil: confirmedUntil === null ? null : Date.parse(confirmedUntil),
    },
    ...(host ? [laneOf('HOST', host.key, host.state, host.timeline)] : []),
  ];
  const view = useSignal<LaneWindow | null>(null);
  const transitions = timeline.transitions.value;
  useEffect(() => {
    if (view.peek() || !transitions) return;
    view.value = createLaneWindow(lengthOfRun(kind, timeline));
  }, [transitions]);
  return (
    <Section id="history" title="History">
      {view.value && (
        <>
          <LaneTools view={view.value} lanes={lanes} run={() => lengthOfRun(kind, timeline)} />
          <LanesPicture lanes={lanes} operations={resource.operations.nodes} view={view.value} />
          <EarlierLoader view={view.value} lanes={lanes} timelines={[timeline, host?.timeline]} />
        </>
      )}
      <HistoryList kind={kind} timeline={timeline} />
    </Section>
  );
}

function laneOf(kind: ResourceKind, key: string, state: string, timeline: Timeline): Lane {
  const transitions = timeline.transitions.value;
  const created = timeline.createdAt.value;
  const createdAt = timeline.hasEarlier.value ? null : created;
  return {
    kind,
    key,
    createdAt: created === null ? null : Date.parse(created),
    confirmedUntil: null,
    spans: transitions ? spansOf(transitions, { state, createdAt }) : [],
  };
}

/** From a little before the last run began, or the creation; an hour at most. */
function lengthOfRun(kind: ResourceKind, timeline: Timeline): number {
  const transitions = timeline.transitions.peek() ?? [];
  const begin = transitions.findLast(({ toState }) => toState === firstOfRun[kind]);
  if (!begin) {
    const created = timeline.createdAt.peek();
    const age = created === null ? hour : now.peek() - Date.parse(created);
    return Math.min(hour, Math.max(60_000, age * 1.1));
  }
  return Math.min(hour, Math.max(10_000, (now.peek() - Date.parse(begin.at)) * 1.1));
}

function LaneTools({
  view,
  lanes,
  run,
}: {
  view: LaneWindow;
  lanes: readonly Lane[];
  run: () => number;
}) {
  return (
    <fieldset class="lane-tools">
      <legend class="unseen">Shown span of time</legend>
      <button type="button" onClick={() => view.showLast(run())}>
        This run
      </button>
      {presets.map(({ name, ms }) => (
        <button key={name} type="button" onClick={() => view.showLast(ms)}>
          {name}
        </button>
      ))}
      <button type="button" onClick={() => showAll(view, lanes)}>
        All
      </button>
      <button type="button" aria-label="Earlier" onClick={() => view.pan(-0.5)}>
        ←
      </button>
      <button type="button" aria-label="Later" onClick={() => view.pan(0.5)}>
        →
      </button>
      <button type="button" aria-label="Zoom in" onClick={() => view.zoom(0.5)}>
        +
      </button>
      <button type="button" aria-label="Zoom out" onClick={() => view.zoom(2)}>
        −
      </button>
      <button
        type="button"
        aria-pressed={view.end.value === null}
        onClick={() => view.showLast(view.lengthMs.peek())}
      >
        Now
      </button>
    </fieldset>
  );
}

/** So many transitions are read for the picture by itself; the list reads on. */
const mostReadAhead = 3_000;

/** Reads further back while the picture shows a time before what is read. */
function EarlierLoader({
  view,
  lanes,
  timelines,
}: {
  view: LaneWindow;
  lanes: readonly Lane[];
  timelines: readonly (Timeline | undefined)[];
}) {
  const { from } = view.span();
  useEffect(() => {
    for (const [index, timeline] of timelines.entries()) {
      const begin = lanes[index]?.spans[0]?.from;
      const isFull = (timeline?.transitions.peek()?.length ?? 0) >= mostReadAhead;
      if (timeline && begin !== undefined && from < begin && !isFull && !timeline.problem.peek())
        void timeline.loadEarlier();
    }
  });
  return null;
}
