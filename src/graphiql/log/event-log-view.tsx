/** The events of a subscription in the response pane. */

import { useCallback, useDeferredValue, useMemo, useState } from 'react';
import { copy } from '../copy.ts';
import { useObservable } from '../observable.ts';
import { usePageState } from '../page-state.ts';
import { toResponse, usePassFocus } from '../pass-focus.ts';
import { type Entry, jsonLines, searchText } from '../stream/event-log.ts';
import { isCursorCode } from '../stream/follow.ts';
import { emptyText, type LiveStream } from '../stream/streams.ts';
import { ExplainButton } from './explain-button.tsx';
import { detailHeight, Row } from './row.tsx';
import { StateText } from './state-text.tsx';
import { VirtualList } from './virtual-list.tsx';

const keyOf = (entry: Entry): number => entry.number;

export function EventLogView({ stream }: { stream: LiveStream }) {
  const { streams } = usePageState();
  useObservable(streams);
  const [search, setSearch] = useState('');
  const [newestFirst, setNewestFirst] = useState(true);
  const [held, setHeld] = useState<readonly Entry[] | null>(null);
  const [open, setOpen] = useState<Entry | null>(null);
  const toggle = useCallback(
    (entry: Entry) => setOpen((known) => (known === entry ? null : entry)),
    [],
  );
  const sought = useDeferredValue(search.trim().toLowerCase());
  const present = stream.log.entries();
  const entries = held ?? present;
  const found = useMemo(() => {
    const matching = sought ? entries.filter((each) => searchText(each).includes(sought)) : entries;
    return newestFirst ? matching.toReversed() : matching;
  }, [entries, sought, newestFirst]);
  const hidden = held ? eventsBehind(present, held.at(-1)?.number ?? 0) : 0;

  return (
    <section className="im im-log" aria-label={`Events of ${stream.name}`}>
      <div className="im-log-head">
        <StateText stream={stream} />
        <Counts stream={stream} found={sought ? found.length : null} />
        {stream.gap && !stream.end && <ExplainButton code={stream.gap.code} />}
        {stream.end?.code && <ExplainButton code={stream.end.code} />}
        {stream.resumes && isCursorCode(stream.end?.code) && <FromNowButton stream={stream} />}
        {!stream.end && <StopButton id={stream.id} />}
      </div>
      <div className="im-log-tools" role="toolbar" aria-label="Events">
        <input
          type="search"
          placeholder="Search"
          aria-label="Search the events"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <button type="button" className="im-button" onClick={() => setNewestFirst(!newestFirst)}>
          {newestFirst ? 'Newest first' : 'Oldest first'}
        </button>
        <button
          type="button"
          className="im-button"
          aria-pressed={held !== null}
          onClick={() => setHeld(held ? null : present)}
        >
          {held ? `Go on${hidden > 0 ? `, ${hidden} new` : ''}` : 'Pause'}
        </button>
        <LogFile stream={stream} entries={newestFirst ? found.toReversed() : found} />
        <button
          type="button"
          className="im-button"
          onClick={() => {
            setHeld(null);
            setOpen(null);
            streams.clear(stream.id);
          }}
        >
          Clear
        </button>
      </div>
      {found.length === 0 ? (
        <p className="im-empty">{sought ? 'No event has this text.' : emptyText(stream)}</p>
      ) : (
        <VirtualList
          label={`Events of ${stream.name}`}
          items={found}
          keyOf={keyOf}
          openKey={open?.number ?? null}
          openHeight={open ? detailHeight(open) : 0}
          growsAtTop={newestFirst}
        >
          {(entry) => (
            <Row entry={entry} isOpen={entry.number === open?.number} onToggle={toggle} />
          )}
        </VirtualList>
      )}
    </section>
  );
}

/** The number of events with a greater number. */
function eventsBehind(entries: readonly Entry[], number: number): number {
  return entries.reduce(
    (sum, each) => sum + Number(each.kind === 'EVENT' && each.number > number),
    0,
  );
}

function Counts({ stream, found }: { stream: LiveStream; found: number | null }) {
  const { log } = stream;
  const count = log.count();
  return (
    <span className="im-quiet">
      {count.toLocaleString('en')} {count === 1 ? 'event' : 'events'}
      {log.dropped() > 0 && `, the oldest ${log.dropped().toLocaleString('en')} dropped`}
      {log.cleared() > 0 && `, ${log.cleared().toLocaleString('en')} cleared`}
      {found !== null && `, ${found.toLocaleString('en')} found`}
    </span>
  );
}

function StopButton({ id }: { id: number }) {
  const { streams } = usePageState();
  const button = usePassFocus<HTMLButtonElement>(toResponse);
  return (
    <button
      ref={button}
      type="button"
      className="im-button im-stop"
      onClick={() => streams.stop(id)}
    >
      Stop
    </button>
  );
}

/** Subscribes again, without the cursor of the document that was refused. */
function FromNowButton({ stream }: { stream: LiveStream }) {
  const pageState = usePageState();
  const button = usePassFocus<HTMLButtonElement>(toResponse);
  function start(): void {
    const request = { ...stream.request, fromNow: true };
    const { id } = pageState.streams.start(stream.tabId, request, pageState.schema);
    pageState.show(pageState.tabId, { shows: 'EVENTS', streamId: id });
  }
  return (
    <button ref={button} type="button" className="im-button" onClick={start}>
      Start from now
    </button>
  );
}

/** Copies, and saves, the events that are shown. */
function LogFile({ stream, entries }: { stream: LiveStream; entries: readonly Entry[] }) {
  function save(): void {
    const url = URL.createObjectURL(new Blob([jsonLines(entries)], { type: 'application/jsonl' }));
    const link = document.createElement('a');
    link.href = url;
    link.download = `${stream.name}.jsonl`;
    link.click();
    URL.revokeObjectURL(url);
  }
  return (
    <>
      <button type="button" className="im-button" onClick={() => copy(jsonLines(entries))}>
        Copy
      </button>
      <button type="button" className="im-button" onClick={save}>
        Save
      </button>
    </>
  );
}
