/** The difference of two texts by lines: a longest common subsequence. */

export interface DiffLine {
  readonly kind: 'SAME' | 'REMOVED' | 'ADDED';
  readonly text: string;
}

/** Above it the middle is shown as replaced as a whole. */
const mostCells = 4_000_000;

export function diffLines(before: string, after: string): DiffLine[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  while (
    end < old.length - start &&
    end < now.length - start &&
    old[old.length - 1 - end] === now[now.length - 1 - end]
  )
    end += 1;
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: 'SAME', text }));
  return [
    ...same(old.slice(0, start)),
    ...middle(old.slice(start, old.length - end), now.slice(start, now.length - end)),
    ...same(old.slice(old.length - end)),
  ];
}

function middle(old: readonly string[], now: readonly string[]): DiffLine[] {
  const width = now.length + 1;
  if (old.length * now.length > mostCells) {
    return [
      ...old.map((text) => ({ kind: 'REMOVED', text }) as const),
      ...now.map((text) => ({ kind: 'ADDED', text }) as const),
    ];
  }
  // The length of the longest common subsequence of what follows each pair of lines.
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        old[i] === now[j]
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      lines.push({ kind: 'SAME', text: old[i]! });
      [i, j] = [i + 1, j + 1];
    } else if (
      j >= now.length ||
      (i < old.length && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!)
    ) {
      lines.push({ kind: 'REMOVED', text: old[i]! });
      i += 1;
    } else {
      lines.push({ kind: 'ADDED', text: now[j]! });
      j += 1;
    }
  }
  return lines;
}
