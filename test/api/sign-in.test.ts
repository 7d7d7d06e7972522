import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requestSignInLink } from '../../src/server/auth/link.ts';
import { ensureAdminToken, openAccessKeys } from '../../src/store/access-keys.ts';
import type { Database } from '../../src/store/database/database.ts';
import { createOrganization } from '../harness/rows.ts';
import {
  type ApiServer,
  adminToken,
  openDatabase,
  post,
  send,
  signIn,
  startApiServer,
} from './api-server.ts';

let database: Database;
let api: ApiServer;
let own: Record<string, string>;

beforeAll(async () => {
  database = await openDatabase();
  api = await startApiServer(database);
  own = { origin: `http://127.0.0.1:${api.port}` };
});
afterAll(async () => {
  await api.stop();
  await database.close();
});

const exchange = (code: unknown, headers: Record<string, string> = {}) =>
  send(api, '/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ code }),
  });

async function newCode(): Promise<string> {
  const { url } = await api.server.createSignInLink();
  const { hash, pathname, search } = new URL(url);
  expect([pathname, search]).toEqual(['/sign-in', '']);
  return new URLSearchParams(hash.slice(1)).get('code') ?? '';
}

describe('a link', () => {
  test('signs one browser in, once', async () => {
    const code = await newCode();
    const taken = await exchange(code, own);
    expect(taken.status).toBe(200);
    const [cookie = ''] = taken.headers['set-cookie'] ?? [];
    expect(cookie).toMatch(
      new RegExp(
        `^instance-manager-${api.port}=ims_[\\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`,
      ),
    );
    const again = await exchange(code, own);
    expect([again.status, again.json.errors[0].extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    const answer = await post(api, '{ name }', {
      headers: { ...own, cookie: cookie.split(';')[0] ?? '' },
    });
    expect(answer.json).toEqual({ data: { name: 'SESSION admin' } });
  });

  test('raced by ten, serves one', async () => {
    const code = await newCode();
    const answers = await Promise.all(Array.from({ length: 10 }, () => exchange(code, own)));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
  });

  test('is over after ten minutes', async () => {
    const code = await newCode();
    await database.query(
      `update access_keys set expires_at = expires_at - interval '10 minutes'
        where kind = 'SIGN_IN_CODE' and revoked_at is null`,
    );
    expect((await exchange(code, own)).status).not.toBe(200);
  });

  test('is for the page of this server', async () => {
    const code = await newCode();
    expect((await exchange(code, { origin: 'http://evil.test' })).status).toBe(403);
    expect((await exchange(code, { 'content-type': 'text/plain' })).status).toBe(415);
    for (const wrong of [7, null, '', 'imc_x', `${code}x`, { toString: 1 }])
      expect([401, 429]).toContain((await exchange(wrong, own)).status);
    expect((await exchange(code, own)).status).toBe(200);
  });

  test('is no token, and a session is no link', async () => {
    const code = await newCode();
    const asToken = await post(api, '{ name }', { headers: { authorization: `Bearer ${code}` } });
    expect(asToken.status).not.toBe(200);
    const session = (await signIn(api)).split('=')[1] ?? '';
    expect((await exchange(session, own)).status).not.toBe(200);
    expect((await exchange(adminToken, own)).status).not.toBe(200);
  });

  test('comes from the running server, for the token alone', async () => {
    const config = { dataDir: api.dataDir, adminToken, port: 1, host: '127.0.0.1' };
    const { url, expiresAt } = await requestSignInLink(config);
    expect(url).toMatch(new RegExp(`^${api.url}/sign-in#code=imc_`));
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 9 * 60_000);
    await expect(requestSignInLink({ ...config, adminToken: 'x'.repeat(32) })).rejects.toThrow(
      /ADMIN_TOKEN or DATA_DIR/,
    );
    const cookie = await signIn(api);
    const bySession = await send(api, '/session/link', {
      method: 'POST',
      headers: { ...own, cookie },
    });
    expect(bySession.status).toBe(403);
    expect((await send(api, '/session/link', { method: 'POST' })).status).toBe(401);
    const elsewhere = mkdtempSync(join(tmpdir(), 'im-link-'));
    await expect(requestSignInLink({ ...config, dataDir: elsewhere })).rejects.toThrow(
      /No server answers on 127.0.0.1:1/,
    );
    rmSync(elsewhere, { recursive: true });
  });
});

describe('a session', () => {
  test('ends when it is signed out', async () => {
    const cookie = await signIn(api);
    const headers = { ...own, cookie };
    expect((await post(api, '{ name }', { headers })).status).toBe(200);
    const foreign = { cookie, origin: 'http://evil.test' };
    expect((await send(api, '/session', { method: 'DELETE', headers: foreign })).status).toBe(403);
    const out = await send(api, '/session', { method: 'DELETE', headers });
    expect(out.status).toBe(204);
    expect(out.headers['set-cookie']?.[0]).toContain('Max-Age=0');
    expect((await post(api, '{ name }', { headers })).status).not.toBe(200);
  });

  test('is over after twelve hours', async () => {
    const cookie = await signIn(api);
    await database.query(
      "update access_keys set expires_at = expires_at - interval '12 hours' where kind = 'SESSION'",
    );
    const answer = await post(api, '{ name }', { headers: { ...own, cookie } });
    expect([401, 429]).toContain(answer.status);
  });

  test('has a __Host- cookie where the address is https', async () => {
    const secure = await startApiServer(database, { publicUrl: 'https://im.test' });
    const { url } = await secure.server.createSignInLink();
    expect(url).toMatch(/^https:\/\/im\.test\/sign-in#code=/);
    const { headers } = await send(secure, '/session', {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', host: 'im.test', origin: 'https://im.test' },
      },
      body: JSON.stringify({ code: new URLSearchParams(new URL(url).hash.slice(1)).get('code') }),
    });
    expect(headers['set-cookie']?.[0]).toMatch(/^__Host-instance-manager=ims_.*; Secure$/);
    await secure.stop();
  });
});

describe('pages', () => {
  test('sign-in is open to all, runs its own script alone and is framed by nobody', async () => {
    const page = await send(api, '/sign-in');
    expect(page.status).toBe(200);
    const policy = page.headers['content-security-policy'] as string;
    expect(policy).toMatch(/script-src 'sha256-[\w+/=]+';/);
    expect(policy).toContain("frame-ancestors 'none'");
    expect(page.text).not.toMatch(/https?:\/\//);
  });

  test('GraphiQL is for a session, and all of it comes from here', async () => {
    const html = { accept: 'text/html,application/xhtml+xml' };
    const stranger = await send(api, '/graphql', { headers: html });
    expect([stranger.status, stranger.headers.location]).toEqual([303, '/sign-in']);
    const cookie = await signIn(api);
    const page = await send(api, '/graphql?query=mutation%7Btouch(name:%22by+address%22)%7D', {
      headers: { ...html, cookie, 'sec-fetch-site': 'none', 'accept-encoding': 'identity' },
    });
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    const files = [...page.text.matchAll(/<(?:script|link)[^>]+(?:src|href)="(?!data:)([^"]+)/g)];
    expect(files.length).toBeGreaterThan(0);
    for (const [, path = ''] of files) {
      const file = await send(api, path, { headers: { 'accept-encoding': 'identity' } });
      expect([path, file.status]).toEqual([expect.stringMatching(/^\/assets\/graphiql\//), 200]);
    }
    expect(api.seen.mutations).toEqual([]);
    const same = await send(api, '/graphql', {
      headers: { ...html, cookie, 'if-none-match': page.headers.etag as string },
    });
    expect(same.status).toBe(304);
  });
});

describe("the administrator's token", () => {
  test('is made once, kept with mode 600, and stays', async () => {
    const dataDir = join(mkdtempSync(join(tmpdir(), 'im-token-')), 'data');
    const token = await ensureAdminToken({ dataDir });
    expect(token.length).toBeGreaterThanOrEqual(32);
    expect(await ensureAdminToken({ dataDir })).toBe(token);
    expect(statSync(join(dataDir, 'admin-token')).mode & 0o777).toBe(0o600);
    expect(await ensureAdminToken({ dataDir, adminToken: 'configured' })).toBe('configured');
    rmSync(dataDir, { recursive: true });
  });

  test('is nowhere but in its file', async () => {
    const rows = await database.query('select * from access_keys');
    expect(JSON.stringify(rows)).not.toContain(adminToken);
    expect(JSON.stringify(rows)).not.toMatch(/im[scr]_/);
    expect(api.logLines.join('')).not.toContain(adminToken);
    expect(existsSync(join(api.dataDir, 'admin-token'))).toBe(false);
    expect(statSync(join(api.dataDir, 'server.json')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(api.dataDir, 'server.json'), 'utf8')).not.toContain(adminToken);
  });

  test('that was changed is refused', async () => {
    const token = 'y'.repeat(32);
    const keys = await openAccessKeys(api.store, token);
    expect(await keys.verify(adminToken)).toBeNull();
    expect((await keys.verify(token))?.kind).toBe('ADMIN');
    await keys.prune();
    expect((await keys.verify(token))?.kind).toBe('ADMIN');
  });

  test('stays with its organization, and so do the sessions that it signs in', async () => {
    const token = 'z'.repeat(32);
    const first = await openAccessKeys(api.store, token);
    const admin = await first.verify(token);
    const organizationId = await createOrganization(database);
    await database.query(
      'update access_keys set organization_id = $1::uuid where access_keys.id = $2::uuid',
      [organizationId, admin?.accessKeyId ?? ''],
    );
    const keys = await openAccessKeys(api.store, token);
    expect(await keys.verify(token)).toMatchObject({ kind: 'ADMIN', organizationId });
    const session = await keys.exchangeSignInCode((await keys.createSignInCode()).code);
    expect(await keys.verify(session?.token ?? '')).toMatchObject({
      kind: 'SESSION',
      organizationId,
    });
  });
});
