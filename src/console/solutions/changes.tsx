/** What changed between two versions, or a version and the draft: in words, and by lines. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { address, setQuery } from '../app/router.tsx';
import { count } from '../part/words.ts';
import { textOf, withDefaults } from './check.ts';
import { type Difference, differences } from './diff-definition.ts';
import { type DiffLine, diffLines } from './diff-lines.ts';
import { readDefinition, type SolutionNow } from './read.ts';

const draft = 'draft';

interface Compared {
  readonly words: readonly Difference[];
  readonly lines: readonly DiffLine[];
}

export function Changes({ solution }: { solution: SolutionNow }) {
  const versions = solution.versions.nodes.map(({ version }) => version);
  const { query } = address.value;
  const to = query.get('to') ?? versions[0] ?? draft;
  const before = versions[versions.indexOf(to) + 1] ?? versions.at(-1) ?? draft;
  const from = query.get('from') ?? (to === draft ? (versions[0] ?? draft) : before);
  const compared = useSignal<Compared | string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const take = (result: Compared | string): void => {
      if (isCurrent) compared.value = result;
    };
    compare(solution, from, to).then(take, (error: Error) => take(error.message));
    return () => {
      isCurrent = false;
    };
  }, [solution.key, solution.version, from, to]);
  const options = [draft, ...versions];
  const result = compared.value;
  return (
    <>
      <div class="log-filters">
        <VersionChoice label="From" value={from} name="from" options={options} />
        <VersionChoice label="To" value={to} name="to" options={options} />
      </div>
      {typeof result === 'string' && <p role="alert">{result}</p>}
      {result && typeof result !== 'string' && (
        <>
          <InWords words={result.words} from={from} to={to} />
          <Lines lines={result.lines} />
        </>
      )}
    </>
  );
}

async function compare(solution: SolutionNow, from: string, to: string): Promise<Compared> {
  const [before, after] = await Promise.all(
    [from, to].map((version) =>
      version === draft ? solution.definition : readDefinition(solution.key, version),
    ),
  );
  return {
    words: differences(await withDefaults(before ?? {}), await withDefaults(after ?? {})),
    lines: diffLines(textOf(before ?? {}), textOf(after ?? {})),
  };
}

function VersionChoice({
  label,
  value,
  name,
  options,
}: {
  label: string;
  value: string;
  name: 'from' | 'to';
  options: readonly string[];
}) {
  return (
    <label class="log-filter">
      {label}
      <select
        value={value}
        onChange={({ currentTarget }) => setQuery({ [name]: currentTarget.value })}
      >
        {options.map((version) => (
          <option key={version} value={version}>
            {version === draft ? 'the draft' : version}
          </option>
        ))}
      </select>
    </label>
  );
}

const marks = {
  ADDED: { word: 'New', tone: 'GOOD' },
  REMOVED: { word: 'Gone', tone: 'ERROR' },
  CHANGED: { word: 'Changed', tone: 'HELD' },
} as const;

function InWords({ words, from, to }: { words: readonly Difference[]; from: string; to: string }) {
  return (
    <section class="card" aria-labelledby="in-words">
      <h2 id="in-words">
        {words.length === 0
          ? `Nothing that an instance does differs between ${from} and ${to}`
          : `${count(words.length, 'difference')} between ${from} and ${to}`}
      </h2>
      <ul class="differences">
        {words.map(({ kind, what, detail, note }) => (
          <li key={`${kind} ${what}`}>
            <span class="mark" data-tone={marks[kind].tone}>
              {marks[kind].word}
            </span>{' '}
            <strong>{what}</strong>
            {detail && <> · {detail}</>}
            {note && <p class="fault">{note}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Lines around a difference. */
const around = 3;

function Lines({ lines }: { lines: readonly DiffLine[] }) {
  const isNear = (index: number): boolean =>
    lines
      .slice(Math.max(0, index - around), index + around + 1)
      .some(({ kind }) => kind !== 'SAME');
  const signs = { SAME: ' ', REMOVED: '-', ADDED: '+' };
  const parts: DiffLine[] = [];
  for (const [index, line] of lines.entries()) {
    if (isNear(index)) parts.push(line);
    else if (parts.at(-1)?.text !== '…') parts.push({ kind: 'SAME', text: '…' });
  }
  if (lines.every(({ kind }) => kind === 'SAME')) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard.
    <section class="diff" tabIndex={0} aria-labelledby="by-lines">
      <h2 id="by-lines">By lines</h2>
      <pre>
        {parts.map(({ kind, text }, index) => (
          <div key={index} data-kind={kind}>
            {signs[kind]} {text}
          </div>
        ))}
      </pre>
    </section>
  );
}
