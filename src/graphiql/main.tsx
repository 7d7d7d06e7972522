/** The page at `/graphql`: GraphiQL as a client of the API on this server. */
import { operations } from 'example-operations';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import { createResumingClient } from '../client/client.ts';
import { createFetcher } from './fetcher.ts';

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

const address = new URLSearchParams(location.search);

createRoot(document.getElementById('root') as HTMLElement).render(
  <GraphiQL
    fetcher={createFetcher(createResumingClient({ url: '/graphql' }))}
    initialQuery={address.get('query') ?? undefined}
    initialVariables={address.get('variables') ?? undefined}
    defaultTabs={operations.map(({ document }) => ({ query: document }))}
  />,
);
