/** Every subscription of this window, whichever tab started it. */
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect, useReducer } from 'react';
import { StateText } from '../log/state-text.tsx';
import { useObservable } from '../observable.ts';
import { usePageState } from '../page-state.ts';
import { usePassFocus } from '../pass-focus.ts';
import { spoken } from '../stream/line.ts';
import type { LiveStream } from '../stream/streams.ts';
import { second } from '../time.ts';

export function LivePanel() {
  const { streams } = usePageState();
  useObservable(streams);
  useTick();
  const all = streams.all();
  return (
    <section className="im im-panel" aria-label="Live">
      <h2 tabIndex={-1}>Live</h2>
      <p className="im-quiet">
        The subscriptions of this window. Each one goes on when its tab is left, when another
        operation runs, and when the connection breaks.
      </p>
      {all.length === 0 && (
        <p className="im-empty">None runs. Run a subscription to see it here.</p>
      )}
      <ul className="im-cards">
        {all.map((stream) => (
          <StreamCard key={stream.id} stream={stream} />
        ))}
      </ul>
    </section>
  );
}

/** Renders every second: the rate falls although nothing happens. */
function useTick(): void {
  const [, tick] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const timer = setInterval(tick, 1000);
    return () => clearInterval(timer);
  }, []);
}

function StreamCard({ stream }: { stream: LiveStream }) {
  const { streams } = usePageState();
  const show = useShowStream();
  const { log, name, state, resumes } = stream;
  const last = log.last();
  const card = usePassFocus<HTMLLIElement>(toNeighbour);
  return (
    <li ref={card} className="im-card" aria-label={name}>
      <h3>{name}</h3>
      <StateText stream={stream} />
      <dl className="im-facts">
        <dt>Events</dt>
        <dd>{log.count().toLocaleString('en')}</dd>
        <dt>Rate</dt>
        <dd>{log.rate(Date.now()).toFixed(1)} a second</dd>
        <dt>Last event</dt>
        <dd>{last ? `${second(last.time)} ${spoken(last.line)}` : 'none yet'}</dd>
        {!resumes && (
          <>
            <dt>Resumes</dt>
            <dd>no: its root field takes no cursor. After a cut it starts again.</dd>
          </>
        )}
      </dl>
      <div className="im-actions">
        <button type="button" className="im-button" onClick={() => show(stream)}>
          Show events
        </button>
        {state === 'ENDED' ? (
          <button type="button" className="im-button" onClick={() => streams.remove(stream.id)}>
            Remove
          </button>
        ) : (
          <button
            type="button"
            className="im-button im-stop"
            onClick={() => streams.stop(stream.id)}
          >
            Stop
          </button>
        )}
      </div>
    </li>
  );
}

/** The first button of the card below, or above: it does no harm. Without one, the heading. */
function toNeighbour(card: HTMLElement) {
  const near = [card.nextElementSibling, card.previousElementSibling];
  const heading = card.closest('section')?.querySelector('h2');
  return () => near.find((each) => each?.isConnected)?.querySelector('button') ?? heading;
}

/** Shows the events of a subscription: in its tab, or in the present one if that is closed. */
export function useShowStream(): (stream: LiveStream) => void {
  const pageState = usePageState();
  const tabs = useGraphiQL(({ tabs }) => tabs);
  const { changeTab } = useGraphiQLActions();
  return ({ id, tabId }) => {
    const index = tabs.findIndex((each) => each.id === tabId);
    if (index >= 0 && tabId !== pageState.tabId) changeTab(index);
    pageState.show(index >= 0 ? tabId : pageState.tabId, { shows: 'EVENTS', streamId: id });
  };
}
