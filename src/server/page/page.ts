/**
 * The pages of the server, the console and GraphiQL: one document each, and the files that it loads. The
 * address of a file contains the digest of its page, so a browser keeps it for good.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { sendError } from '../wire/respond.ts';
import { brotli, compressed, encodingFor, encodings, type PageName, pageNames } from './files.ts';

export interface Pages {
  /** Answers with the document of a page. The caller has checked the session. */
  document(name: PageName, exchange: PageExchange): Promise<void>;
  /** Answers `/assets/PAGE/DIGEST/FILE`; the files hold nothing secret. */
  asset(exchange: PageExchange): Promise<void>;
}

interface PageExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

const titles: Readonly<Record<PageName, string>> = {
  console: 'Instance Manager',
  graphiql: 'GraphiQL · Instance Manager',
};

/** Scripts and styles of this server alone. Monaco, GraphiQL's editor, writes style elements. */
const policies: Readonly<Record<PageName, string>> = {
  console: policyWith("style-src 'self'"),
  graphiql: policyWith("style-src 'self' 'unsafe-inline'"),
};

function policyWith(styles: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "worker-src 'self'",
    styles,
    "font-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.ttf': 'font/ttf',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
};

/** The folder of a build, where this program is one. */
declare const builtFolder: URL;

export function createPages(): Pages {
  const loaded = new Map<PageName, Promise<LoadedPage>>();
  const load = (name: PageName): Promise<LoadedPage> => {
    const page = loaded.get(name) ?? loadPage(name);
    loaded.set(name, page);
    page.catch(() => loaded.delete(name));
    return page;
  };

  return {
    async document(name, { request, response }) {
      const { digest, styles } = await load(name);
      const etag = `"${digest}"`;
      response.setHeader('content-security-policy', policies[name]);
      response.setHeader('cache-control', 'private, no-cache');
      response.setHeader('etag', etag);
      response.setHeader('vary', 'cookie');
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      const folder = `/assets/${name}/${digest}`;
      response.end(
        request.method === 'HEAD' ? undefined : documentOf(titles[name], { folder, styles }),
      );
    },
    async asset({ request, response }) {
      const [, , page, digest, file = '', ...rest] = (request.url ?? '')
        .split('?', 1)[0]!
        .split('/');
      const name = pageNames.find((each) => each === page);
      const found = name && rest.length === 0 ? await load(name) : null;
      if (!found || found.digest !== digest || !found.has(file))
        return sendError(response, 'NOT_FOUND', 'There is nothing here.');
      const encoding = compressed.includes(extname(file)) ? encodingFor(request) : undefined;
      const content = await found.read(file, encoding);
      if (encoding) response.setHeader('content-encoding', encoding);
      response.setHeader('vary', 'accept-encoding');
      response.setHeader('cache-control', 'public, max-age=31536000, immutable');
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'application/octet-stream',
        'content-length': content.byteLength,
      });
      response.end(request.method === 'HEAD' ? undefined : content);
    },
  };
}

const documentOf = (title: string, { folder, styles }: { folder: string; styles: string[] }) =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
${styles.map((file) => `<link rel="stylesheet" href="${folder}/${file}">\n`).join('')}<script type="module" src="${folder}/main.js"></script>
</head>
<body>
<div id="root"></div>
<noscript><p>This page takes JavaScript.</p></noscript>
</body>
</html>
`;

interface LoadedPage {
  readonly digest: string;
  /** The stylesheets, that of the entry first. A script that is loaded later does not load its own. */
  readonly styles: string[];
  has(file: string): boolean;
  read(file: string, encoding: string | undefined): Promise<Uint8Array>;
}

async function loadPage(name: PageName): Promise<LoadedPage> {
  if (typeof builtFolder !== 'undefined') return pageOfBuild(name, builtFolder);
  const { compilePage } = await import('./compile.ts');
  const { digest, files } = await compilePage(name);
  return {
    digest,
    styles: stylesOf(files.keys()),
    has: (file) => files.has(file),
    async read(file, encoding) {
      const content = files.get(file) ?? new Uint8Array();
      if (encoding === 'gzip') return promisify(gzip)(content, { level: 1 });
      return encoding === 'br' ? brotli(content, 1) : content;
    },
  };
}

const stylesOf = (files: Iterable<string>): string[] =>
  [...files]
    .filter((file) => extname(file) === '.css')
    .sort((a, b) => Number(b === 'main.css') - Number(a === 'main.css') || a.localeCompare(b));

function pageOfBuild(name: PageName, folder: URL): LoadedPage {
  const [digest = ''] = readdirSync(new URL(`pages/${name}/`, folder));
  const within = new URL(`pages/${name}/${digest}/`, folder);
  const files = new Set(readdirSync(within));
  return {
    digest,
    styles: stylesOf(files),
    has: (file) => files.has(file) && !Object.values(encodings).includes(extname(file)),
    read: async (file, encoding) =>
      readFileSync(new URL(file + (encoding ? encodings[encoding] : ''), within)),
  };
}
