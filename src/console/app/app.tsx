/** The frame of every view: the bar on top, the view of the address, and notices. */
import { effect, type Signal, signal, useSignal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { followSummary, hostErrors, instanceErrors } from '../live/summary.ts';
import { DateOnPaper } from '../part/on-paper.tsx';
import { connection } from './connection.ts';
import { Notices } from './notices.tsx';
import { address } from './router.tsx';
import { Top } from './top.tsx';
import { type View, viewOf } from './views.ts';

followSummary();

export function App() {
  const isStale = connection.value === 'LOST' || connection.value === 'SIGNED_OUT';
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Top />
      <main id="main" tabIndex={-1} class={isStale ? 'stale' : ''}>
        <DateOnPaper />
        <CurrentView />
      </main>
      <Notices />
    </>
  );
}

const title = signal('Fleet');

effect(() => {
  const errors = instanceErrors.value.count + hostErrors.value.count;
  const before = errors > 0 ? `${errors} in error · ` : '';
  document.title = `${before}${title.value} · Instance Manager`;
});

const failed = signal<string | null>(null);

function CurrentView() {
  const { path } = address.value;
  const view: View = viewOf(path);
  const Loaded: Signal<ComponentType<{ path: readonly string[] }> | null> = useSignal(null);
  useEffect(() => {
    title.value = view.title(path);
  }, [view, path]);
  useEffect(() => {
    let isCurrent = true;
    view.load().then(
      (component) => {
        if (!isCurrent) return;
        failed.value = null;
        Loaded.value = component;
      },
      () => {
        if (isCurrent) failed.value = 'This view could not be loaded. Load the page again.';
      },
    );
    return () => {
      isCurrent = false;
      failed.value = null;
      Loaded.value = null;
    };
  }, [view]);
  if (failed.value) return <p role="alert">{failed.value}</p>;
  const Component = Loaded.value;
  return Component ? <Component path={path} /> : null;
}
