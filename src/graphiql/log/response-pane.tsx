/** What stands around, or in the place of, GraphiQL's response: events, codes, and what lives in other tabs. */
import { pick, useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { useEffect } from 'react';
import { useObservable } from '../observable.ts';
import { usePageState } from '../page-state.ts';
import { codesIn } from '../panel/errors-panel.tsx';
import { type FollowUp, followUpOf } from '../panel/follow.ts';
import { useShowStream } from '../panel/live-panel.tsx';
import { useOpenDocument } from '../panel/open-document.ts';
import { toResponse, usePassFocus } from '../pass-focus.ts';
import { spoken } from '../stream/line.ts';
import type { LiveStream } from '../stream/streams.ts';
import { second } from '../time.ts';
import { EventLogView } from './event-log-view.tsx';
import { ExplainButton } from './explain-button.tsx';
import { stateText } from './state-text.tsx';

export function ResponsePane() {
  const pageState = usePageState();
  useObservable(pageState);
  useObservable(pageState.streams);
  const { tabs, activeTabIndex } = useGraphiQL(pick('tabs', 'activeTabIndex'));
  const tabId = tabs[activeTabIndex]?.id ?? '';
  const view = pageState.view(tabId);
  useLateAnswer(tabId);
  const stream = pageState.streams.find(view.streamId);
  const showsEvents = stream !== undefined && view.shows === 'EVENTS';
  return (
    <>
      <div className="im im-bar">
        {stream && view.answer && (
          <fieldset className="im-choice" aria-label="Shown here">
            <button
              type="button"
              aria-pressed={showsEvents}
              onClick={() => pageState.show(tabId, { shows: 'EVENTS' })}
            >
              Events
            </button>
            <button
              type="button"
              aria-pressed={!showsEvents}
              onClick={() => pageState.show(tabId, { shows: 'RESPONSE' })}
            >
              Response
            </button>
          </fieldset>
        )}
        {!showsEvents && <AnswerLinks tabId={tabId} />}
      </div>
      {showsEvents && <EventLogView key={stream.id} stream={stream} />}
      <OtherStreams shownId={showsEvents ? stream.id : null} />
    </>
  );
}

/** Gives the tab in front the answer that came while another one was there. */
function useLateAnswer(tabId: string): void {
  const pageState = usePageState();
  const { responseEditor } = useGraphiQL(pick('responseEditor'));
  const { updateActiveTabValues } = useGraphiQLActions();
  const { late } = pageState.view(tabId);
  useEffect(() => {
    if (late === null || !responseEditor) return;
    responseEditor.setValue(late);
    updateActiveTabValues({ response: late });
    pageState.show(tabId, { late: null });
  }, [late, tabId, responseEditor, pageState, updateActiveTabValues]);
}

/** What can be done with the last answer. */
function AnswerLinks({ tabId }: { tabId: string }) {
  const pageState = usePageState();
  const { answer } = pageState.view(tabId);
  if (!answer) return null;
  const followUp = followUpOf(answer);
  return (
    <>
      {followUp && <FollowButton tabId={tabId} followUp={followUp} />}
      {codesIn(answer.result, pageState.schema).map((code) => (
        <ExplainButton key={code} code={code} />
      ))}
    </>
  );
}

function FollowButton({ tabId, followUp }: { tabId: string; followUp: FollowUp }) {
  const pageState = usePageState();
  const open = useOpenDocument();
  const button = usePassFocus<HTMLButtonElement>(toResponse);
  function follow(): void {
    const { query, variables, isOwn } = followUp;
    if (!isOwn) open?.({ query, variables: JSON.stringify(variables, null, 2) });
    // The tab that was opened is the one in front now.
    const ofTab = isOwn ? tabId : pageState.tabId;
    const stream = pageState.streams.start(ofTab, followUp, pageState.schema);
    pageState.show(ofTab, { shows: 'EVENTS', streamId: stream.id });
  }
  return (
    <button ref={button} type="button" className="im-button" onClick={follow} disabled={!open}>
      Follow from here
    </button>
  );
}

const mostOthers = 3;

/** The newest event of the subscriptions that are not shown. */
function OtherStreams({ shownId }: { shownId: number | null }) {
  const { streams } = usePageState();
  const others = streams.all().filter(({ id, state }) => id !== shownId && state !== 'ENDED');
  if (others.length === 0) return null;
  return (
    <section className="im im-strip" aria-label="Live in this window">
      {others.slice(0, mostOthers).map((stream) => (
        <OtherStream key={stream.id} stream={stream} />
      ))}
      {others.length > mostOthers && (
        <span className="im-quiet">{others.length - mostOthers} more in the Live panel</span>
      )}
    </section>
  );
}

function OtherStream({ stream }: { stream: LiveStream }) {
  const show = useShowStream();
  const button = usePassFocus<HTMLButtonElement>(toResponse);
  const last = stream.log.last();
  return (
    <button ref={button} type="button" onClick={() => show(stream)}>
      <b>{stream.name}</b>{' '}
      <span className="im-quiet">
        {stream.state === 'LIVE' ? `${stream.log.count()} events` : stateText(stream)}
      </span>{' '}
      {last && (
        <span className="im-last">
          {second(last.time)} {spoken(last.line)}
        </span>
      )}
    </button>
  );
}
