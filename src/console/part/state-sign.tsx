/** A state by its shape, word and colour. */
import {
  type Appearance,
  hostAppearance,
  instanceAppearance,
  type Shape,
} from '../../lifecycle/appearance.ts';

export type ResourceKind = 'INSTANCE' | 'HOST';

const unknown: Appearance = { word: '', tone: 'OFF', shape: 'RING' };

/** How a state is shown. A state that this page does not know yet is shown by its name. */
export function appearanceOf(kind: ResourceKind, state: string): Appearance {
  const table: Readonly<Record<string, Appearance>> =
    kind === 'INSTANCE' ? instanceAppearance : hostAppearance;
  return table[state] ?? { ...unknown, word: state };
}

/** Paths in a square of 16. */
const paths: Readonly<Record<Shape, string>> = {
  DISC: 'M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z',
  RING: 'M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12zm0 2a4 4 0 1 0 0 8a4 4 0 1 0 0-8z',
  ARROW: 'M2 6.5h5V2.5L14 8l-7 5.5v-4H2z',
  BARS: 'M3 2.5h3.5v11H3zM9.5 2.5H13v11H9.5z',
  SQUARE: 'M3 3h10v10H3z',
  TRIANGLE: 'M8 1.5L15 14H1zM7.25 6v4h1.5V6zm0 5v1.5h1.5V11z',
  CROSS:
    'M5 1h6l4 4v6l-4 4H5l-4-4V5zM5 6.2L6.8 8L5 9.8L6.2 11L8 9.2L9.8 11L11 9.8L9.2 8L11 6.2L9.8 5L8 6.8L6.2 5z',
};

/** Drawn by style.css: a picture of its own costs a long list several layers for each row. */
const drawnByStyle: ReadonlySet<Shape> = new Set(['DISC', 'RING', 'ARROW', 'BARS', 'SQUARE']);

/** `size`: within another picture, in its units. */
export function StateShape({ shape, size }: { shape: Shape; size?: number }) {
  if (size === undefined && drawnByStyle.has(shape)) {
    return <span class="shape" data-shape={shape} aria-hidden="true" />;
  }
  return (
    <svg
      class={size ? undefined : 'shape'}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      <path fill-rule="evenodd" d={paths[shape]} />
    </svg>
  );
}

/** `isUnconfirmed`: the state was last confirmed before, and cannot be confirmed now. */
export function StateSign({
  kind,
  state,
  isUnconfirmed = false,
}: {
  kind: ResourceKind;
  state: string;
  isUnconfirmed?: boolean;
}) {
  const { word, tone, shape } = appearanceOf(kind, state);
  return (
    <span class="state" data-tone={tone} data-unconfirmed={isUnconfirmed || undefined}>
      <StateShape shape={shape} />
      {word}
      {isUnconfirmed && <span class="unconfirmed"> not confirmed</span>}
    </span>
  );
}
