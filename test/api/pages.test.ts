/** How the console is served: for a session, under a strict policy, and its files for good. */
import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compilePage, filesOfBuild } from '../../src/server/page/compile.ts';
import type { Database } from '../../src/store/database/database.ts';
import { type ApiServer, openDatabase, send, signIn, startApiServer } from './api-server.ts';

/** What the scripts of the console may be over the wire, all chunks together. */
const mostScriptBytes = 90_000;

let database: Database;
let api: ApiServer;
let cookie: string;

beforeAll(async () => {
  database = await openDatabase();
  api = await startApiServer(database);
  cookie = await signIn(api);
});
afterAll(async () => {
  await api?.stop();
  await database?.close();
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  send(api, path, { method, headers });

/** A file as it was sent. */
async function bytes(path: string, encoding: string): Promise<Uint8Array> {
  const answer = await fetch(`${api.url}${path}`, { headers: { 'accept-encoding': encoding } });
  return new Uint8Array(await answer.arrayBuffer()); // Decoded by fetch.
}

const filesIn = (html: string): string[] =>
  [...html.matchAll(/<(?:script|link)[^>]+(?:src|href)="(\/[^"]+)/g)].map(([, path = '']) => path);

describe('the document of the console', () => {
  const addresses = ['/', '/hosts', '/instances/greenhouse-1', '/solutions/a?version=1.0'];
  test.each(addresses)('%s is for a session alone', async (path) => {
    const stranger = await get(path);
    expect([stranger.status, stranger.headers.location]).toEqual([303, '/sign-in']);
    const page = await get(path, { cookie });
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(page.text).toContain('<div id="root">');
  });

  test('runs scripts and styles of its own files alone, and is framed by nobody', async () => {
    const { headers, text } = await get('/', { cookie });
    const policy = Object.fromEntries(
      String(headers['content-security-policy'])
        .split('; ')
        .map((rule) => [rule.split(' ')[0], rule.slice(rule.indexOf(' ') + 1)]),
    );
    expect(policy).toMatchObject({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'connect-src': "'self'",
      'frame-ancestors': "'none'",
      'base-uri': "'none'",
    });
    expect(text).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|https?:\/\//);
  });

  test('is asked for anew each time, and sent only when it has changed', async () => {
    const page = await get('/', { cookie });
    expect(page.headers).toMatchObject({ 'cache-control': 'private, no-cache', vary: 'cookie' });
    const same = await get('/', { cookie, 'if-none-match': String(page.headers.etag) });
    expect([same.status, same.text]).toEqual([304, '']);
    const stranger = await get('/', { 'if-none-match': String(page.headers.etag) });
    expect(stranger.status, 'without a session').toBe(303);
  });

  test('HEAD has the headers, and writing is refused', async () => {
    const page = await get('/', { cookie });
    const head = await get('/', { cookie }, 'HEAD');
    expect([head.status, head.text, head.headers.etag]).toEqual([200, '', page.headers.etag]);
    const post = await get('/', { cookie }, 'POST');
    expect([post.status, post.headers.allow]).toEqual([405, 'GET, HEAD']);
  });
});

describe('the files of the console', () => {
  let files: string[];
  beforeAll(async () => {
    files = filesIn((await get('/', { cookie })).text);
  });

  test('are kept by browsers for good, and need no session', async () => {
    expect(files.map((path) => path.split('/').at(-1))).toEqual(
      expect.arrayContaining(['main.js', 'main.css']),
    );
    for (const path of files) {
      expect(path).toMatch(/^\/assets\/console\/[\w-]{16}\/[\w.-]+$/);
      const { status, headers } = await get(path);
      expect([path, status]).toEqual([path, 200]);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(headers['content-type']).toMatch(/^text\/(javascript|css); charset=utf-8$/);
      const head = await get(path, {}, 'HEAD');
      expect([head.text, head.headers['content-length']]).toEqual(['', headers['content-length']]);
    }
  });

  test('are compressed as the browser takes it, the content the same', async () => {
    const [path = ''] = files.filter((file) => file.endsWith('main.js'));
    const plain = await get(path, { 'accept-encoding': 'identity' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    for (const [accepted, chosen] of [
      ['gzip, deflate, br, zstd', 'br'],
      ['gzip, deflate', 'gzip'],
    ] as const) {
      const { headers } = await get(path, { 'accept-encoding': accepted });
      expect(headers).toMatchObject({ 'content-encoding': chosen, vary: 'accept-encoding' });
      expect(Buffer.from(await bytes(path, accepted)).toString()).toBe(plain.text);
    }
  });

  test('are there under their own address alone', async () => {
    const [path = ''] = files;
    const [, , page, digest, file] = path.split('/');
    const wrong = [
      `/assets/${page}/AAAAAAAAAAAAAAAA/${file}`,
      `/assets/none/${digest}/${file}`,
      `/assets/${page}/${digest}/no-such.js`,
      `/assets/${page}/${digest}/${file}/more`,
      `/assets/${page}/${digest}/`,
      `/assets/${page}/${digest}/..%2F..%2Fpackage.json`,
      `/assets/${page}/${digest}/__proto__`,
      '/assets/',
      '/no-such-view',
    ];
    const answers = await Promise.all(wrong.map(async (each) => (await get(each)).status));
    expect(answers).toEqual(wrong.map(() => 404));
  });
});

test(`all scripts of the console take ${mostScriptBytes} bytes at most over the wire`, async () => {
  const built = await filesOfBuild('console', await compilePage('console'));
  const scripts = [...built].filter(([path]) => path.endsWith('.js'));
  expect(scripts.length).toBeGreaterThan(1);
  let sum = 0;
  for (const [path, content] of scripts) {
    const sent = built.get(`${path}.br`);
    const zipped = built.get(`${path}.gz`);
    if (!sent || !zipped) throw new Error(`${path} is not compressed.`);
    expect(Buffer.from(await promisify(brotliDecompress)(sent)).equals(content)).toBe(true);
    expect(Buffer.from(await promisify(gunzip)(zipped)).equals(content)).toBe(true);
    sum += sent.byteLength;
  }
  console.log(`The console's scripts: ${sum} bytes in ${scripts.length} files.`);
  expect(sum).toBeLessThanOrEqual(mostScriptBytes);
});
