/** A text with line numbers, and its faults at their lines. */
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { sentence } from '../form/form.ts';
import { count } from '../part/words.ts';
import type { PlacedIssue } from './check.ts';

export function Editor({
  id,
  text,
  issues,
  onText,
}: {
  id: string;
  text: string;
  issues: readonly PlacedIssue[];
  onText: (text: string) => void;
}) {
  const gutter = useRef<HTMLDivElement>(null);
  const faulty = new Set(issues.map(({ line }) => line));
  const lines = text.split('\n').length;
  const isFaulty = issues.length > 0;
  return (
    <div>
      <label for={id} class="editor-label">
        Document
      </label>
      <div class="editor" data-faulty={isFaulty || undefined}>
        <div class="gutter" aria-hidden="true" ref={gutter}>
          <LineNumbers lines={lines} faulty={faulty} />
        </div>
        <textarea
          id={id}
          wrap="off"
          spellcheck={false}
          autocapitalize="none"
          value={text}
          aria-invalid={isFaulty}
          aria-describedby={`${id}-faults`}
          onInput={({ currentTarget }) => onText(currentTarget.value)}
          onScroll={({ currentTarget }) => {
            if (gutter.current) gutter.current.scrollTop = currentTarget.scrollTop;
          }}
        />
      </div>
      <div id={`${id}-faults`} class="faults">
        <p role="status" class={isFaulty ? 'fault' : 'fine'}>
          {isFaulty ? `${count(issues.length, 'fault')} in the document.` : 'No fault found.'}
        </p>
        {isFaulty && (
          <ol>
            {issues.map((issue) => (
              <li key={`${issue.offset} ${issue.message}`}>
                <button type="button" class="plain" onClick={() => goTo(id, text, issue.offset)}>
                  Line {issue.line}, column {issue.column}
                </button>
                : {issue.path && <code>{issue.path}</code>}{' '}
                {issue.path ? issue.message : sentence(issue.message)}
              </li>
            ))}
          </ol>
        )}
      </div>
    </div>
  );
}

/** A few texts for all lines: one for each fault, and one for the lines between two of them. */
function LineNumbers({ lines, faulty }: { lines: number; faulty: ReadonlySet<number> }) {
  const parts: VNode[] = [];
  let first = 1;
  const numbersTo = (end: number): void => {
    if (end < first) return;
    const numbers = Array.from({ length: end - first + 1 }, (_, index) => first + index);
    parts.push(<div key={first}>{numbers.join('\n')}</div>);
  };
  for (const line of [...faulty].sort((a, b) => a - b)) {
    numbersTo(line - 1);
    parts.push(
      <div key={line} data-faulty>
        ▲ {line}
      </div>,
    );
    first = line + 1;
  }
  numbersTo(lines);
  return parts;
}

/** Puts the caret to a place, and the place into sight. */
export function goTo(id: string, text: string, offset: number): void {
  const area = document.getElementById(id);
  if (!(area instanceof HTMLTextAreaElement)) return;
  const end = text.indexOf('\n', offset);
  area.focus();
  area.setSelectionRange(offset, end < 0 ? text.length : end);
  const line = text.slice(0, offset).split('\n').length - 1;
  const height = Number.parseFloat(getComputedStyle(area).lineHeight);
  area.scrollTop = Math.max(0, line * height - area.clientHeight / 2);
}
