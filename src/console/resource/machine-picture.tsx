/** The lifecycle of a resource: where it is, the way it came in this run, and where it can go from here. */
import { signal } from '@preact/signals';
import { useEffect, useId, useMemo } from 'preact/hooks';
import { request } from '../app/connection.ts';
import { Section } from '../part/section.tsx';
import { appearanceOf, type ResourceKind, StateShape } from '../part/state-sign.tsx';
import { words } from '../part/words.ts';
import { box, firstOfRun, layoutOf } from './machine-layout.ts';
import { machineQuery, type StateMachine, type Transition } from './model.ts';

const machines = {
  INSTANCE: signal<StateMachine | null>(null),
  HOST: signal<StateMachine | null>(null),
} as const;

/** The lifecycle, read once; null until then. */
export function useMachine(kind: ResourceKind): StateMachine | null {
  const machine = machines[kind];
  useEffect(() => {
    if (machine.peek()) return;
    request<{ stateMachine: StateMachine }>(machineQuery, { kind }).then(
      ({ stateMachine }) => {
        machine.value = stateMachine;
      },
      // The view is of use without the picture; the next one tries again.
      console.error,
    );
  }, [kind]);
  return machine.value;
}

interface Shown {
  readonly kind: ResourceKind;
  readonly machine: StateMachine;
  readonly state: string;
  /** Can the state not be confirmed now? */
  readonly isUnconfirmed: boolean;
  /** Null: not read yet. */
  readonly transitions: readonly Transition[] | null;
}

export function MachinePicture({ kind, machine, state, isUnconfirmed, transitions }: Shown) {
  const path = useMemo(() => pathOf(kind, transitions ?? []), [kind, transitions]);
  const next = machine.edges.filter(({ from }) => from === state);
  const shown = { kind, machine, state, isUnconfirmed, path, next };
  const wordOf = (name: string) => appearanceOf(kind, name).word;
  return (
    <Section id="machine" title="State machine">
      <Drawing {...shown} />
      <StateList {...shown} />
      <div class="machine-text">
        <p>
          <span class="quiet">This run: </span>
          {path.length > 0
            ? [path[0]!.from, ...path.map(({ to }) => to)].map(wordOf).join(' → ')
            : transitions
              ? 'none yet'
              : 'being read …'}
        </p>
        <p class="quiet">From here:</p>
        <ul class="bare">
          {next.map(({ to, trigger }) => (
            <li key={to}>
              → {wordOf(to)} <span class="quiet">({trigger})</span>
            </li>
          ))}
        </ul>
      </div>
    </Section>
  );
}

interface Edge {
  readonly from: string;
  readonly to: string;
}

/** The edges taken since the last run began; an edge that was taken often counts once. */
function pathOf(kind: ResourceKind, transitions: readonly Transition[]): readonly Edge[] {
  const begin = transitions.findLastIndex(({ toState }) => toState === firstOfRun[kind]);
  if (begin < 0) return [];
  return transitions.slice(begin).map(({ fromState: from, toState: to }) => ({ from, to }));
}

const nameOf = ({ from, to }: Edge): string => `${from} ${to}`;

interface Lit extends Omit<Shown, 'transitions'> {
  readonly path: readonly Edge[];
  readonly next: StateMachine['edges'];
}

function Drawing({ kind, machine, state, isUnconfirmed, path, next }: Lit) {
  const id = useId();
  const layout = useMemo(() => layoutOf(kind, machine), [kind, machine]);
  const taken = new Set(path.map(nameOf));
  const possible = new Set(next.map(nameOf));
  const drawn = machine.edges.filter(
    (edge) =>
      taken.has(nameOf(edge)) || possible.has(nameOf(edge)) || layout.isShort(edge.from, edge.to),
  );
  let lane = 0;
  const edges = drawn.map((edge) => {
    const name = nameOf(edge);
    const light = possible.has(name) ? 'NEXT' : taken.has(name) ? 'TAKEN' : 'QUIET';
    const isShort = layout.isShort(edge.from, edge.to);
    const line = layout.route(edge.from, edge.to, isShort ? 0 : lane++);
    return { name, light, line, isTaken: taken.has(name) };
  });
  const order = ['QUIET', 'TAKEN', 'NEXT'];
  edges.sort((a, b) => order.indexOf(a.light) - order.indexOf(b.light));
  const visited = new Set(path.flatMap(({ from, to }) => [from, to]));
  return (
    <svg
      class="machine"
      viewBox={`0 0 ${layout.width} ${layout.height}`}
      role="img"
      aria-label={`State machine, now ${appearanceOf(kind, state).word}${isUnconfirmed ? ', not confirmed' : ''}. The way of this run and the ways from here follow as text.`}
    >
      <defs>
        {order.map((light) => (
          <marker
            key={light}
            id={`${id}-${light}`}
            class="machine-arrow"
            data-light={light}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="8"
            markerHeight="8"
            markerUnits="userSpaceOnUse"
            orient="auto-start-reverse"
          >
            <path d="M0 0L8 4L0 8z" />
          </marker>
        ))}
      </defs>
      {edges.map(({ name, light, line, isTaken }) => (
        <path
          key={name}
          class="edge"
          data-light={light}
          data-taken={isTaken || undefined}
          d={line}
          marker-end={`url(#${id}-${light})`}
        />
      ))}
      {machine.states.map(({ name, description }) => (
        <Node
          key={name}
          kind={kind}
          state={name}
          description={description}
          at={layout.at(name)}
          isUnconfirmed={isUnconfirmed && name === state}
          light={
            name === state
              ? 'NOW'
              : next.some(({ to }) => to === name)
                ? 'NEXT'
                : visited.has(name)
                  ? 'TAKEN'
                  : 'QUIET'
          }
        />
      ))}
    </svg>
  );
}

function Node({
  kind,
  state,
  description,
  at,
  isUnconfirmed,
  light,
}: {
  kind: ResourceKind;
  state: string;
  description: string;
  at: { readonly x: number; readonly y: number };
  isUnconfirmed: boolean;
  light: string;
}) {
  const { word, tone, shape } = appearanceOf(kind, state);
  const lines = linesOf(word || words(state));
  return (
    <g
      class="node"
      data-light={light}
      data-tone={tone}
      data-unconfirmed={isUnconfirmed || undefined}
      transform={`translate(${at.x} ${at.y})`}
    >
      <title>{description}</title>
      <rect width={box.width} height={box.height} rx="8" />
      <g class="node-shape" transform={`translate(9 ${box.height / 2 - 8})`}>
        <StateShape shape={shape} size={16} />
      </g>
      {lines.map((line, index) => (
        <text key={line} x="32" y={box.height / 2 + 5 + (index - (lines.length - 1) / 2) * 16}>
          {line}
        </text>
      ))}
    </g>
  );
}

/** In two lines where one is too long for the box. */
function linesOf(word: string): readonly string[] {
  if (word.length <= 13) return [word];
  const middle = word.lastIndexOf(' ', 13);
  return middle < 0 ? [word] : [word.slice(0, middle), word.slice(middle + 1)];
}

/** The same for narrow screens. */
function StateList({ kind, machine, state, isUnconfirmed, path, next }: Lit) {
  const visited = new Set(path.flatMap(({ from, to }) => [from, to]));
  return (
    <ol class="machine-list bare" aria-hidden="true">
      {machine.states.map(({ name }) => {
        const { word, tone, shape } = appearanceOf(kind, name);
        const isNext = next.some(({ to }) => to === name);
        const light =
          name === state ? 'NOW' : isNext ? 'NEXT' : visited.has(name) ? 'TAKEN' : 'QUIET';
        return (
          <li key={name} data-light={light} data-tone={tone}>
            <StateShape shape={shape} /> {word}
            {light === 'NOW' && (isUnconfirmed ? ' · now, not confirmed' : ' · now')}
            {light === 'NEXT' && ' · possible next'}
            {visited.has(name) && light !== 'NOW' && ' · passed in this run'}
          </li>
        );
      })}
    </ol>
  );
}
