import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { operations } from 'example-operations';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';

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

const { protocol, host } = location;
const fetcher = createGraphiQLFetcher({
  url: '/graphql',
  subscriptionUrl: `${protocol.replace('http', 'ws')}//${host}/graphql`,
});

createRoot(document.getElementById('root') as HTMLElement).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={operations.map(({ document }) => ({ query: document }))}
  />,
);
