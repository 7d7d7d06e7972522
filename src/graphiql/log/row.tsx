/** One entry of the log: its time and its line, opened to its JSON. */

import { memo } from 'react';
import { copy } from '../copy.ts';
import type { Entry, EventEntry } from '../stream/event-log.ts';
import type { Change } from '../stream/line.ts';
import { clock } from '../time.ts';
import { rowHeight } from './virtual-list.tsx';

const jsonLineHeight = 18;
const mostJsonHeight = 20 * jsonLineHeight;
const jsonPadding = 44;

const jsonOf = (entry: EventEntry): string => JSON.stringify(entry.event, null, 2);

/** The height of an entry's details in pixels, known without rendering them. */
export function detailHeight(entry: Entry): number {
  if (entry.kind === 'MARK') return 0;
  const lines = jsonOf(entry).split('\n').length;
  return Math.min(mostJsonHeight, lines * jsonLineHeight) + jsonPadding;
}

/** Renders again only if its entry is another one: most rows stay while the list is scrolled. */
export const Row = memo(function Row({
  entry,
  isOpen,
  onToggle,
}: {
  entry: Entry;
  isOpen: boolean;
  onToggle: (entry: Entry) => void;
}) {
  if (entry.kind === 'MARK')
    return (
      <p className="im-mark" title={entry.text}>
        <time>{clock(entry.time)}</time> {entry.text}
      </p>
    );
  const { line, event } = entry;
  return (
    <>
      <button
        type="button"
        className="im-line"
        aria-expanded={isOpen}
        onClick={() => onToggle(entry)}
      >
        <time title={`${new Date(entry.time).toISOString()}, arrived ${clock(entry.arrived)}`}>
          {clock(entry.time)}
        </time>{' '}
        {line.subject !== '' && <b className="im-subject">{line.subject} </b>}
        {event.errors && <span className="im-bad">{event.errors.length} errors </span>}
        {line.changes.map((change) => (
          <ChangeText key={change.path} {...change} />
        ))}
        {line.changes.length === 0 && (
          <span className="im-quiet">no change in what is selected</span>
        )}
        {line.more > 0 && <span className="im-quiet">+{line.more}</span>}
      </button>
      {isOpen && (
        <div className="im-detail" style={{ height: detailHeight(entry), top: rowHeight }}>
          <button type="button" className="im-button" onClick={() => copy(jsonOf(entry))}>
            Copy event
          </button>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls is reached by keyboard */}
          <section tabIndex={0} aria-label="The event as JSON">
            <pre>{jsonOf(entry)}</pre>
          </section>
        </div>
      )}
    </>
  );
});

function ChangeText({ path, from, to }: Change) {
  return (
    <span className={path === '' ? 'im-change im-state' : 'im-change'}>
      {path !== '' && <i>{path} </i>}
      {from !== undefined && (
        <>
          {from}
          {' → '}
        </>
      )}
      <strong>{to}</strong>{' '}
    </span>
  );
}
