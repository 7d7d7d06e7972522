/** Where the states of a lifecycle stand in its picture, and how its edges run. */
import type { ResourceKind } from '../part/state-sign.tsx';
import type { StateMachine } from './model.ts';

export const box = { width: 138, height: 50 } as const;
const gap = { x: 26, y: 74 } as const;
const margin = { x: 4, y: 48 } as const;

type Cell = readonly [column: number, row: number];

const places: Readonly<Record<ResourceKind, Readonly<Record<string, Cell>>>> = {
  INSTANCE: {
    OFFLINE: [0, 0],
    STARTING_RUNTIME: [1, 0],
    INITIALIZING: [2, 0],
    STARTING: [3, 0],
    RUNNING: [4, 0],
    PAUSING: [5, 0],
    STOPPED: [0, 1],
    STOPPING: [1, 1],
    FAILED_TO_INITIALIZE: [2, 1],
    FAILED_TO_START: [3, 1],
    FATAL_ERROR: [4, 1],
    PAUSED: [5, 1],
  },
  HOST: {
    OFFLINE: [0, 0],
    DEPLOYING: [1, 0],
    CONFIGURING_DNS: [2, 0],
    DEPLOYING_CONTAINER: [3, 0],
    STARTING_CONTAINER: [4, 0],
    RUNNING: [5, 0],
    FAILED_DEPLOYMENT: [2, 1],
    FAILED_HEALTH_CHECK: [3, 1],
    RESTARTING_HOST: [4, 1],
    RESTARTING_CONTAINER: [5, 1],
  },
};

/** The state that a run begins with. */
export const firstOfRun: Readonly<Record<ResourceKind, string>> = {
  INSTANCE: 'STARTING_RUNTIME',
  HOST: 'DEPLOYING',
};

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The upper left corner of each state. */
  at(state: string): { readonly x: number; readonly y: number };
  /** Is the edge between neighbours? Such an edge is drawn always, the others where they are lit. */
  isShort(from: string, to: string): boolean;
  /** An SVG path; `lane` keeps edges apart that run side by side. */
  route(from: string, to: string, lane: number): string;
}

/** States that the picture does not know yet stand in a third row. */
export function layoutOf(kind: ResourceKind, machine: StateMachine): Layout {
  const known = places[kind];
  const others = machine.states.filter(({ name }) => !known[name]).map(({ name }) => name);
  const cellOf = (state: string): Cell => known[state] ?? [others.indexOf(state), 2];
  const rows = others.length > 0 ? 3 : 2;
  const columns = Math.max(6, others.length);
  const at = (state: string) => {
    const [column, row] = cellOf(state);
    return {
      x: margin.x + column * (box.width + gap.x),
      y: margin.y + row * (box.height + gap.y),
    };
  };
  const isShort = (from: string, to: string): boolean => {
    const [a, b] = [cellOf(from), cellOf(to)];
    return Math.abs(a[0] - b[0]) + Math.abs(a[1] - b[1]) === 1;
  };

  function route(from: string, to: string, lane: number): string {
    const [a, b] = [at(from), at(to)];
    if (isShort(from, to)) return straight(a, b);
    const shift = (lane % 6) * 11 - 27;
    const [startX, endX] = [a.x + box.width / 2 + shift, b.x + box.width / 2 + shift + 5];
    const depth = 12 + (lane % 6) * 10;
    if (a.y === b.y && a.y === margin.y) return around(a.y, a.y, a.y - Math.min(depth, 40));
    if (a.y === b.y)
      return around(a.y + box.height, a.y + box.height, a.y + box.height + Math.min(depth, 40));
    const isDown = a.y < b.y;
    const gutter = (isDown ? a.y : b.y) + box.height + depth;
    return around(isDown ? a.y + box.height : a.y, isDown ? b.y : b.y + box.height, gutter);

    function around(startY: number, endY: number, y: number): string {
      return `M${startX} ${startY}V${y}H${endX}V${endY}`;
    }
  }

  return {
    width: 2 * margin.x + columns * box.width + (columns - 1) * gap.x,
    height: 2 * margin.y + rows * box.height + (rows - 1) * gap.y,
    at,
    isShort,
    route,
  };
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Between neighbours; ways to and fro run side by side. */
function straight(a: Point, b: Point): string {
  const side = 9;
  if (a.y === b.y) {
    const y = a.y + box.height / 2 + (a.x < b.x ? -side : side);
    return a.x < b.x ? `M${a.x + box.width} ${y}H${b.x}` : `M${a.x} ${y}H${b.x + box.width}`;
  }
  const x = a.x + box.width / 2 + (a.y < b.y ? side : -side);
  return a.y < b.y ? `M${x} ${a.y + box.height}V${b.y}` : `M${x} ${a.y}V${b.y + box.height}`;
}
