/** The page at `/graphql`: GraphiQL as a client of the API on this server. */
import 'graphiql/style.css';
import './style.css';

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

// GraphiQL asks for the editor once it stands: it is loaded beside it.
const [page, editor] = [
  import('./start.tsx'),
  import('monaco-editor/esm/vs/editor/edcore.main.js'),
];
page.then(({ start }) => start(document.getElementById('root') as HTMLElement));

/** A body that nobody reads would hold up the worker that is loaded from the same address. */
const keep = async (worker: string): Promise<unknown> =>
  (await fetch(addressOf(worker), { priority: 'low' })).arrayBuffer();
// Monaco starts the workers when they are needed, and the server may be away then: the browser keeps them.
Promise.all([page, editor]).then(() => {
  for (const worker of [editorWorker, ...Object.values(workers)]) keep(worker).catch(() => {}); // Then it is loaded when it is needed.
});
