/** The bar over every view: where one can go, what is in error, and whether the page is live. */

import { hostErrors, instanceErrors, summary } from '../live/summary.ts';
import { StateShape } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { asOf, type ConnectionState, connection, signOut } from './connection.ts';
import { notice } from './notices.tsx';
import { address, Link } from './router.tsx';
import { type Theme, theme } from './theme.ts';

const navigation = [
  { href: '/', name: 'Fleet' },
  { href: '/solutions', name: 'Solutions' },
  { href: '/providers', name: 'Providers' },
  { href: '/operations', name: 'Operations' },
  { href: '/history', name: 'History' },
  { href: '/create', name: 'Create' },
];

export function Top() {
  const { path } = address.value;
  return (
    <header class="top">
      <Link href="/" class="product">
        Instance Manager
      </Link>
      <ConnectionSign />
      <Attention />
      <div class="strip">
        <nav aria-label="Views">
          {navigation.map(({ href, name }) => (
            <Link
              key={href}
              href={href}
              aria-current={isWithin(path[0], href) ? 'page' : undefined}
            >
              {name}
            </Link>
          ))}
        </nav>
        <div class="tools">
          <a href="/graphql">GraphiQL</a>
          <ThemeChoice />
          <button
            type="button"
            class="plain"
            onClick={() =>
              signOut().catch((error: Error) => {
                notice.value = `You are still signed in. ${error.message}`;
              })
            }
          >
            Sign out
          </button>
        </div>
      </div>
    </header>
  );
}

/** The fleet's view holds the instances and hosts too. */
const isWithin = (first: string | undefined, href: string): boolean =>
  href === '/'
    ? first === undefined || first === 'instances' || first === 'hosts'
    : href === `/${first}`;

const words: Readonly<Record<ConnectionState, string>> = {
  CONNECTING: 'Connecting …',
  LIVE: 'Live',
  LOST: 'as of',
  SIGNED_OUT: 'as of',
};

function ConnectionSign() {
  const { value: state } = connection;
  return (
    <span class="live" data-state={state}>
      <StateShape shape={state === 'LIVE' ? 'DISC' : 'RING'} />
      {words[state]} {state !== 'CONNECTING' && asOf.value && <Time at={asOf.value} exact />}
    </span>
  );
}

/** The same place whether there is something or not: a number that is not 0 stands out. */
function Attention() {
  const { value: instances } = instanceErrors;
  const { value: hosts } = hostErrors;
  const unreachable = summary.value?.unreachableCount ?? 0;
  const known = summary.value !== null;
  return (
    <div class="attention">
      <Count
        count={known ? instances.count : null}
        one="in error"
        many="in error"
        href={`/instances?state=${instances.states.join(',')}`}
        shape="TRIANGLE"
        tone="ERROR"
      />
      <Count
        count={known ? hosts.count : null}
        one="host in error"
        many="hosts in error"
        href={`/hosts?state=${hosts.states.join(',')}`}
        shape="CROSS"
        tone="ERROR"
      />
      <Count
        count={known ? unreachable : null}
        one="not confirmed"
        many="not confirmed"
        href="/instances?reachability=UNKNOWN"
        shape="RING"
        tone="HELD"
      />
    </div>
  );
}

function Count({
  count,
  one,
  many,
  href,
  shape,
  tone,
}: {
  count: number | null;
  one: string;
  many: string;
  href: string;
  shape: 'TRIANGLE' | 'CROSS' | 'RING';
  tone: string;
}) {
  return (
    <Link
      href={href}
      class="count"
      data-tone={count ? tone : undefined}
      title={count === 1 ? one : many}
    >
      <StateShape shape={shape} />
      <b>{count === null ? '–' : count.toLocaleString()}</b>
      <span class="word"> {count === 1 ? one : many}</span>
    </Link>
  );
}

function ThemeChoice() {
  return (
    <label class="theme">
      <span class="unseen">Colours</span>
      <select
        value={theme.value}
        onChange={({ currentTarget }) => {
          theme.value = currentTarget.value as Theme;
        }}
      >
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
