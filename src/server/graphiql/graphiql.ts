/** GraphiQL from this server alone: one page, built once, that loads nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { loadExampleOperations } from '../../../schema/load.ts';

interface Page {
  readonly html: Buffer;
  readonly gzipped: Buffer;
  readonly etag: string;
  readonly policy: string;
}

/** Answers with the page. The caller has checked that the request belongs to a session. */
export type GraphiqlHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function createGraphiqlHandler(): GraphiqlHandler {
  let page: Promise<Page> | null = null;
  return async (request, response) => {
    page ??= renderPage();
    const { html, gzipped, etag, policy } = await page;
    response.setHeader('content-security-policy', policy);
    response.setHeader('cache-control', 'private, no-cache');
    response.setHeader('etag', etag);
    response.setHeader('vary', 'accept-encoding, cookie');
    if (request.headers['if-none-match'] === etag) {
      response.writeHead(304).end();
      return;
    }
    const zipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    if (zipped) response.setHeader('content-encoding', 'gzip');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(request.method === 'HEAD' ? undefined : zipped ? gzipped : html);
  };
}

/** Nine megabytes, so they are read on first use. */
async function renderPage(): Promise<Page> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({
    title: 'Instance Manager',
    endpoint: '/graphql',
    subscriptionsProtocol: 'WS',
    credentials: 'same-origin',
    shouldPersistHeaders: false,
    defaultTabs: loadExampleOperations().map(({ document }) => ({ query: document })),
  });
  const text = page.replace('</head>', () => `${repairs}</head>`);
  const html = Buffer.from(text);
  return {
    html,
    gzipped: await promisify(gzip)(html),
    etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`,
    policy: policyOf(text),
  };
}

/**
 * Works around three faults of GraphiQL with tabs. Its layout uses animations that are unfinished
 * after a load: a pressed tab jumps aside, and the click is lost. A tab that is opened before the
 * editor exists stays empty. And if nothing was edited, a reload or a second window starts with an
 * additional empty tab instead of the tab that was open.
 */
const repairs = `<style>
.graphiql-tab { transform: none !important; }
.graphiql-container:not(:has(.graphiql-query-editor .monaco-editor)) .graphiql-session-header {
  pointer-events: none;
}
</style>
<script>
try {
  const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
  if (!localStorage.getItem('graphiql:query') && tabs[activeTabIndex].query)
    localStorage.setItem('graphiql:query', tabs[activeTabIndex].query);
} catch {} // Nothing is stored yet.
</script>
`;

/**
 * Only scripts of this page, by their hashes; the workers of the editor are blobs that it makes.
 */
function policyOf(html: string): string {
  const hashes = [...html.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(`${script}`).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src ${hashes.join(' ')} blob:`,
    'worker-src blob:',
    "style-src 'unsafe-inline'",
    'font-src data:',
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
