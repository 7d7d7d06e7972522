/** The frame of every view: navigation, the state of the connection, and the view of the address. */
import { type Signal, signal, useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { Time } from '../part/time.tsx';
import { asOf, connection } from './connection.ts';
import { address, Link } from './router.tsx';
import { type Theme, theme } from './theme.ts';
import { type View, viewOf } from './views.ts';

const navigation = [
  { href: '/', name: 'Fleet' },
  { href: '/solutions', name: 'Solutions' },
  { href: '/operations', name: 'Operations' },
  { href: '/history', name: 'History' },
  { href: '/create', name: 'Create' },
];

export function App() {
  const { path } = address.value;
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Link href="/" class="product">
          Instance Manager
        </Link>
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
        </div>
      </header>
      <ConnectionBar />
      <main id="main" tabIndex={-1} class={connection.value === 'LIVE' ? '' : 'stale'}>
        <CurrentView />
      </main>
    </>
  );
}

/** The fleet's view holds the instances and hosts too. */
const isWithin = (first: string | undefined, href: string): boolean =>
  href === '/'
    ? first === undefined || first === 'instances' || first === 'hosts'
    : href === `/${first}`;

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
        <option value="system">As the system</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

/** Nothing while the page is live. Otherwise since when what it shows is not confirmed. */
function ConnectionBar() {
  const state = connection.value;
  return (
    <div class="connection" role="status" data-state={state}>
      {state === 'CONNECTING' && 'Connecting …'}
      {state === 'LOST' && (
        <>
          No connection: shown as of {asOf.value && <Time at={asOf.value} exact />}. Connecting
          again …
        </>
      )}
      {state === 'SIGNED_OUT' && (
        <>
          Signed out: shown as of {asOf.value && <Time at={asOf.value} exact />}. Open a new link:{' '}
          <code>npm run link</code>
        </>
      )}
    </div>
  );
}

const failed = signal<string | null>(null);

function CurrentView() {
  const { path } = address.value;
  const view: View = viewOf(path);
  const Loaded: Signal<ComponentType<{ path: readonly string[] }> | null> = useSignal(null);
  useEffect(() => {
    let isCurrent = true;
    view.load().then(
      (component) => {
        if (!isCurrent) return;
        failed.value = null;
        Loaded.value = component;
      },
      () => {
        failed.value = 'This view could not be loaded. Load the page again.';
      },
    );
    document.title = `${view.title(path)} · Instance Manager`;
    return () => {
      isCurrent = false;
      Loaded.value = null;
    };
  }, [view]);
  if (failed.value) return <p role="alert">{failed.value}</p>;
  const Component = Loaded.value;
  return Component ? <Component path={path} /> : null;
}
