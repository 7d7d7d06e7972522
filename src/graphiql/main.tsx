/** The page at `/graphql`: GraphiQL as a client of the API on this server. */
import { TabFocus } from 'monaco-editor/esm/vs/editor/browser/config/tabFocus.js';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './style.css';
import { Page } from './page.tsx';
import { createPageState } from './page-state.ts';
import { createStreams } from './stream/streams.ts';

const workers: Readonly<Record<string, string>> = {
  json: 'json.worker',
  graphql: 'graphql.worker',
};

const editorWorker = 'editor.worker';
/** The workers of the editor lie beside this script. */
const addressOf = (worker: string): URL => new URL(`./${worker}.js`, import.meta.url);

(globalThis as { MonacoEnvironment?: object }).MonacoEnvironment = {
  getWorker: (_id: string, label: string) =>
    new Worker(addressOf(workers[label] ?? editorWorker), { type: 'module' }),
};
// Monaco starts them when they are needed, and the server may be away then: the browser keeps them.
for (const worker of [editorWorker, ...Object.values(workers)])
  fetch(addressOf(worker), { priority: 'low' }).catch(() => {}); // Then it is loaded when it is needed.

// The tab key leaves an editor: by keyboard there is no other way out that anyone finds.
TabFocus.setTabFocusMode(true);

createRoot(document.getElementById('root') as HTMLElement).render(
  <Page pageState={createPageState(createStreams())} />,
);
