/** Starts the page within an element. */
import { createRoot } from 'react-dom/client';
import { Page } from './page.tsx';
import { createPageState } from './page-state.ts';
import { createStreams } from './stream/streams.ts';

export function start(root: HTMLElement): void {
  createRoot(root).render(<Page pageState={createPageState(createStreams())} />);
}
