/** What the bench found: one row a figure, and the arithmetic that makes rows of samples. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  /** What it is held against, measured in the same run; null where there is nothing. */
  readonly reference: number | null;
  /** `value` to `reference`. */
  readonly ratio: number | null;
  /** What the ratio should be; null where none is set. */
  readonly aim: string | null;
  readonly met: boolean | null;
}

/** A figure beside its reference, where an aim is set for their ratio. */
export function figure(
  name: string,
  value: number,
  beside?: { reference: number; atLeast?: number; atMost?: number },
): Figure {
  if (!beside) {
    return { name, value: round(value), reference: null, ratio: null, aim: null, met: null };
  }
  const { reference, atLeast, atMost } = beside;
  const ratio = value / reference;
  const row = { name, value: round(value), reference: round(reference), ratio: round(ratio) };
  if (atLeast !== undefined) return { ...row, aim: `>= ${atLeast}`, met: ratio >= atLeast };
  if (atMost !== undefined) return { ...row, aim: `<= ${atMost}`, met: ratio <= atMost };
  return { ...row, aim: null, met: null };
}

/** The sample that a share of all is not greater than: 0.5 is the median. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** The rows as text for people, in columns. */
export function table(figures: readonly Figure[]): string {
  const heads = ['figure', 'value', 'reference', 'ratio', 'aim', 'met'];
  const rows = figures.map(({ name, value, reference, ratio, aim, met }) => [
    name,
    ...[value, reference, ratio, aim].map((cell) => (cell === null ? '' : `${cell}`)),
    met === null ? '' : met ? 'yes' : 'NO',
  ]);
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [heads, ...rows]
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function round(value: number): number {
  return Number(value.toPrecision(value >= 100 ? 4 : 3));
}
