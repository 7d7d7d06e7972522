/** The page at `/graphql`: GraphiQL as a client of the API on this server. */
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './style.css';
import { createDesk } from './desk.ts';
import { Page } from './page.tsx';
import { createStreams } from './stream/streams.ts';

const workers: Readonly<Record<string, string>> = {
  json: 'json.worker',
  graphql: 'graphql.worker',
};

// The workers of the editor lie beside this script.
(globalThis as { MonacoEnvironment?: object }).MonacoEnvironment = {
  getWorker: (_id: string, label: string) =>
    new Worker(new URL(`./${workers[label] ?? 'editor.worker'}.js`, import.meta.url), {
      type: 'module',
    }),
};

createRoot(document.getElementById('root') as HTMLElement).render(
  <Page desk={createDesk(createStreams())} />,
);
