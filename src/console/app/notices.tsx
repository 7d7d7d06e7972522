/** What the page has to say about itself, over its lower edge, so that nothing moves. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { Time } from '../part/time.tsx';
import { asOf, connection } from './connection.ts';
import { type Return, returned } from './missed.ts';

/** A message of a view: the last one, until it is dismissed. */
export const notice = signal<string | null>(null);

export function Notices() {
  const { value: state } = connection;
  return (
    <div class="notices" role="status">
      {state === 'LOST' && (
        <Notice tone="HELD">
          No connection. What is shown is as of {asOf.value && <Time at={asOf.value} exact />}.
          Connecting again …
        </Notice>
      )}
      {state === 'SIGNED_OUT' && (
        <Notice tone="ERROR">
          You are signed out. What is shown is as of {asOf.value && <Time at={asOf.value} exact />}.
          Make a link with <code>npm run link</code> on the machine of the server, then{' '}
          <a href="/sign-in">sign in</a>.
        </Notice>
      )}
      {state === 'LIVE' && returned.value && (
        <Notice
          tone={returned.value.unknown ? 'HELD' : 'GOOD'}
          dismiss={() => {
            returned.value = null;
          }}
        >
          Back since <Time at={returned.value.since} exact />; {changes(returned.value)}.
        </Notice>
      )}
      {notice.value && (
        <Notice
          tone="HELD"
          dismiss={() => {
            notice.value = null;
          }}
        >
          {notice.value}
        </Notice>
      )}
    </div>
  );
}

function changes({ changes: count, unknown }: Return): string {
  if (unknown === 'CURSOR_EXPIRED')
    return 'the log no longer holds all that changed meanwhile. What is shown was read anew';
  if (unknown === 'CURSOR_INVALID')
    return 'the server has another log now, as after a restore of its store. What is shown was read anew';
  if (count === 0) return 'nothing changed meanwhile';
  return `${count.toLocaleString()} ${count === 1 ? 'change' : 'changes'} came meanwhile`;
}

function Notice({
  tone,
  dismiss,
  children,
}: {
  tone: string;
  dismiss?: () => void;
  children: ComponentChildren;
}) {
  return (
    <div class="notice" data-tone={tone}>
      <span>{children}</span>
      {dismiss && (
        <button type="button" class="plain" onClick={dismiss}>
          Dismiss
        </button>
      )}
    </div>
  );
}
