import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { RegistryCredentials } from '../../src/drivers/registry/authorization.ts';
import type { ConnectionOptions } from '../../src/drivers/registry/connection.ts';
import { RegistryRepository } from '../../src/drivers/registry/repository.ts';
import { imageName, isImageName } from '../../src/lifecycle/image-name.ts';
import { makeCertificate } from '../harness/certificate.ts';
import {
  hasRegistry,
  imageParts,
  registryUser,
  sha256,
  startRegistry,
  type TestRegistry,
} from '../harness/registry.ts';
import { imagesFor, json, noSuch, type Script, startScripted } from './scripted-registry.ts';

const { signal } = new AbortController();
const arm = { os: 'linux', architecture: 'arm64', variant: null };

const open = (
  host: string,
  { path = 'team/runtime', ...options }: Partial<ConnectionOptions> & { path?: string } = {},
) =>
  new RegistryRepository({
    ...{ image: `${host}/${path}`, credentials: null, insecure: false },
    ...{ answerSeconds: 10, patienceSeconds: 10 },
    ...options,
  });

const failing = (code: string, message: RegExp, retryable: boolean) =>
  expect.objectContaining({ code, retryable, message: expect.stringMatching(message) });

const lasting = (code: string, message: RegExp) => failing(code, message, false);
const passing = (code: string, message: RegExp) => failing(code, message, true);

test('names of images: registry and path', () => {
  expect(imageName('node')).toEqual({ registry: 'docker.io', path: 'library/node' });
  expect(imageName('team/runtime')).toEqual({ registry: 'docker.io', path: 'team/runtime' });
  expect(imageName('index.docker.io/a/b')).toEqual({ registry: 'docker.io', path: 'a/b' });
  expect(imageName('localhost/runtime')).toEqual({ registry: 'localhost', path: 'runtime' });
  expect(imageName('registry.example:5000/a/b/c')).toEqual({
    registry: 'registry.example:5000',
    path: 'a/b/c',
  });
  expect(isImageName('registry.example:5000/team/runtime')).toBe(true);
  for (const wrong of ['', 'a:1', 'A', 'registry.example:70000/a', 'a//b', 'x@y', '../a']) {
    expect(isImageName(wrong), wrong).toBe(false);
  }
});

describe.skipIf(!hasRegistry)('the registry of Debian, with a user', () => {
  let registry: TestRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(() => registry?.stop());

  const credentials = registryUser;

  test('tags, their digests, and what is behind them', async () => {
    const digest = await registry.push('team/runtime', '1.0', { created: '2026-01-02T03:04:05Z' });
    const other = await registry.push('team/runtime', '1.1', { layer: 'another layer' });
    const repository = open(registry.host, { credentials });
    expect((await repository.tagNames(signal)).sort()).toEqual(['1.0', '1.1']);
    expect(await repository.digest('1.1', signal)).toBe(other);
    expect(await repository.resolve('1.0', null, signal)).toEqual({
      digest,
      manifestDigest: digest,
      platform: { os: 'linux', architecture: 'amd64', variant: null },
      createdAt: new Date('2026-01-02T03:04:05Z'),
      sizeBytes: imageParts().sizeBytes,
    });
  });

  test('what is missing: the image, the tag, the platform', async () => {
    await registry.push('team/old', '1.0');
    const repository = open(registry.host, { credentials, path: 'team/old' });
    const missing = open(registry.host, { credentials, path: 'team/nothing' });
    const noImage = lasting('IMAGE_NOT_FOUND', /has no image team\/nothing: check its name/);
    await expect(missing.tagNames(signal)).rejects.toEqual(noImage);
    await expect(missing.resolve('1.0', null, signal)).rejects.toEqual(noImage);
    await expect(missing.digest('1.0', signal)).rejects.toEqual(noImage);
    const noTag = lasting('TAG_NOT_FOUND', /team\/old has no tag 9 in its registry: choose/);
    await expect(repository.resolve('9', null, signal)).rejects.toEqual(noTag);
    await expect(repository.digest('9', signal)).rejects.toEqual(noTag);
    await expect(repository.resolve('1.0', arm, signal)).rejects.toEqual(
      lasting('PLATFORM_NOT_FOUND', /no image for linux\/arm64, but for linux\/amd64: build/),
    );
  });

  test('credentials: none, and wrong ones', async () => {
    await expect(open(registry.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CREDENTIALS_MISSING', /asks for a user and a password/),
    );
    const wrong = open(registry.host, { credentials: { username: 'fleet', password: 'guess' } });
    await expect(wrong.tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CREDENTIALS_WRONG', /refuses user and password for team\/runtime: set/),
    );
  });
});

/** A registry that asks for tokens, and the server of them; the tokens are `token-1`, `token-2`, … */
async function withTokens(
  behind: Script,
  { expiresIn = 300, user = registryUser as RegistryCredentials | null } = {},
) {
  let given = 0;
  const valid = new Set<string>();
  const tokens = await startScripted(({ authorization }) => {
    const basic = user && Buffer.from(`${user.username}:${user.password}`).toString('base64');
    if (basic && authorization !== `Basic ${basic}`) return { ...json({}), status: 401 };
    given += 1;
    valid.add(`Bearer token-${given}`);
    return json({ token: `token-${given}`, expires_in: expiresIn });
  });
  const challenge = `Bearer realm="${tokens.origin}/token",service="registry.example",scope="x"`;
  const registry = await startScripted((asked, response) => {
    if (!valid.has(asked.authorization ?? '')) {
      return { ...json({}, { 'www-authenticate': challenge }), status: 401 };
    }
    return behind(asked, response);
  });
  return { registry, tokens, revoke: () => valid.clear() };
}

describe('tokens', () => {
  test('one is fetched for pulling the image, kept until it expires, and fetched anew', async () => {
    const { script, digest } = imagesFor(['amd64']);
    const { registry, tokens, revoke } = await withTokens(script);
    const repository = open(registry.host, { credentials: registryUser });
    expect(await repository.tagNames(signal)).toEqual(['1.0']);
    expect((await repository.resolve('1.0', null, signal)).digest).toBe(digest);
    expect(tokens.asked.length).toBe(1);
    expect(Object.fromEntries(tokens.asked[0]?.url.searchParams ?? [])).toEqual({
      service: 'registry.example',
      scope: 'repository:team/runtime:pull',
      account: 'fleet',
    });
    // Nothing but the token reaches the registry.
    const sent = new Set(registry.asked.map(({ authorization }) => authorization));
    expect(sent).toEqual(new Set([null, 'Bearer token-1']));
    revoke();
    expect(await repository.digest('1.0', signal)).toBe(digest);
    expect(tokens.asked.length).toBe(2);
  });

  test('one that expires at once is fetched for each request', async () => {
    const { script } = imagesFor(['amd64']);
    const { registry, tokens } = await withTokens(script, { expiresIn: 1 });
    const repository = open(registry.host, { credentials: registryUser });
    await repository.tagNames(signal);
    await repository.tagNames(signal);
    expect(tokens.asked.length).toBe(2);
  });

  test('wrong credentials, none, and a token that is not taken', async () => {
    const { script } = imagesFor(['amd64']);
    const { registry } = await withTokens(script);
    const credentials = { username: 'fleet', password: 'guess' };
    await expect(open(registry.host, { credentials }).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CREDENTIALS_WRONG', /refuses user and password/),
    );
    await expect(open(registry.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CREDENTIALS_MISSING', /or has no such image/),
    );
    const strict = await withTokens(script, { user: null });
    const refused = open(strict.registry.host).tagNames(signal);
    strict.revoke();
    await refused;
    const never = await startScripted(() => ({
      ...json({}, { 'www-authenticate': `Bearer realm="${strict.tokens.origin}/token"` }),
      status: 401,
    }));
    await expect(open(never.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CREDENTIALS_MISSING', /asks for a user and a password/),
    );
  });

  test('a password goes to no token server without TLS, but on this machine', async () => {
    const registry = await startScripted(() => ({
      ...json({}, { 'www-authenticate': 'Bearer realm="http://tokens.example/token"' }),
      status: 401,
    }));
    const repository = open(registry.host, { credentials: registryUser });
    await expect(repository.tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_WITHOUT_TLS', /leads to http:\/\/tokens\.example/),
    );
  });
});

describe('lists of images', () => {
  test('the image for a platform; without one the usual, else the first', async () => {
    const { script, digest, images } = imagesFor(['arm64', 'amd64']);
    const registry = await startScripted(script);
    const repository = open(registry.host);
    const [forArm, forAmd] = images.map(({ manifest }) => sha256(manifest));
    expect(await repository.resolve('1.0', arm, signal)).toMatchObject({
      digest,
      manifestDigest: forArm,
      platform: arm,
    });
    expect((await repository.resolve('1.0', null, signal)).manifestDigest).toBe(forAmd);
    const only = await startScripted(imagesFor(['arm64']).script);
    expect((await open(only.host).resolve('1.0', null, signal)).manifestDigest).toBe(forArm);
    await expect(
      repository.resolve('1.0', { ...arm, architecture: 's390x' }, signal),
    ).rejects.toEqual(
      lasting('PLATFORM_NOT_FOUND', /linux\/s390x, but for linux\/arm64, linux\/amd64: build/),
    );
  });
});

describe('pages of tags', () => {
  test('are followed by Link, to the last', async () => {
    const registry = await startScripted(({ url }) => {
      const last = url.searchParams.get('last');
      const link = (name: string) => ({
        link: `</v2/team/runtime/tags/list?n=2&last=${name}>; rel="next"`,
      });
      if (last === null) return json({ tags: ['a', 'b'] }, link('b'));
      return last === 'b' ? json({ tags: ['c', 'not a tag'] }, link('c')) : json({ tags: null });
    });
    expect(await open(registry.host).tagNames(signal)).toEqual(['a', 'b', 'c']);
  });

  test('that lead elsewhere, or in a circle, are refused', async () => {
    const linking = (link: string) => startScripted(() => json({ tags: ['a'] }, { link }));
    const elsewhere = await linking('<http://127.0.0.1:1/v2/>; rel="next"');
    await expect(open(elsewhere.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /next page of its tags is at another address/),
    );
    const circle = await linking('</v2/team/runtime/tags/list?last=a>; rel="next"');
    await expect(open(circle.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /have no end/),
    );
  });
});

describe('a busy registry', () => {
  test('is asked again when it says; longer than the patience is not waited', async () => {
    let count = 0;
    const { script } = imagesFor(['amd64']);
    const registry = await startScripted((asked, response) => {
      count += 1;
      if (count === 1) return { status: 429, headers: { 'retry-after': '0' } };
      if (count === 2) {
        return { status: 503, headers: { 'retry-after': new Date().toUTCString() } };
      }
      return script(asked, response);
    });
    expect(await open(registry.host).tagNames(signal)).toEqual(['1.0']);
    const closed = await startScripted(() => ({ status: 429, headers: { 'retry-after': '3600' } }));
    await expect(open(closed.host).tagNames(signal)).rejects.toEqual(
      passing('REGISTRY_TOO_MANY_REQUESTS', /takes no more requests for now/),
    );
    expect(closed.asked.length).toBe(1);
    const broken = await startScripted(() => ({ status: 500 }));
    await expect(open(broken.host).tagNames(signal)).rejects.toEqual(
      passing('REGISTRY_FAILED', /failed \(500\)/),
    );
  });
});

describe('redirects', () => {
  test('carry no credentials to another origin', async () => {
    const { script } = imagesFor(['amd64']);
    const store = await startScripted((asked, response) => script(asked, response));
    const registry = await startScripted((asked, response) => {
      if (!asked.authorization) {
        return { ...json({}, { 'www-authenticate': 'Basic realm="x"' }), status: 401 };
      }
      if (!asked.url.pathname.includes('/blobs/')) return script(asked, response);
      return { status: 307, headers: { location: `${store.origin}${asked.url.pathname}` } };
    });
    const repository = open(registry.host, { credentials: registryUser });
    expect((await repository.resolve('1.0', null, signal)).createdAt).not.toBeNull();
    expect(store.asked.map(({ authorization }) => authorization)).toEqual([null]);
  });

  test('to an address without TLS, and without end, are refused', async () => {
    const leading = (location: string) =>
      startScripted(() => ({ status: 302, headers: { location } }));
    const plain = await leading('http://registry.example/v2/');
    await expect(open(plain.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_WITHOUT_TLS', /leads to http:\/\/registry\.example/),
    );
    const endless = await leading('/v2/');
    await expect(open(endless.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /redirects more than 5 times/),
    );
  });
});

describe('a registry that cannot be asked', () => {
  test('nobody is there', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => gone.once('listening', resolve));
    const { port } = gone.address() as { port: number };
    await new Promise((resolve) => gone.close(resolve));
    const passed = passing('REGISTRY_UNREACHABLE', /cannot be reached \(ECONNREFUSED\): check/);
    await expect(open(`127.0.0.1:${port}`).tagNames(signal)).rejects.toEqual(passed);
    await expect(open('no-such-host.invalid').tagNames(signal)).rejects.toEqual(
      passing('REGISTRY_UNREACHABLE', /cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/),
    );
  });

  test('nobody signed its certificate', async () => {
    const registry = await startScripted(imagesFor(['amd64']).script, { pem: makeCertificate() });
    await expect(open(registry.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_CERTIFICATE_INVALID', /nobody whom this server trusts: set NODE_EXTRA_CA/),
    );
    expect(registry.asked).toEqual([]);
  });

  test('it hangs: before TLS, and in an answer', async () => {
    const mute = createServer(() => undefined).listen(0, '127.0.0.1');
    onTestFinished(() => void mute.close());
    await new Promise((resolve) => mute.once('listening', resolve));
    const { port } = mute.address() as { port: number };
    const silent = passing('REGISTRY_SILENT', /gave no whole answer within 0\.2 s: try again/);
    const limits = { answerSeconds: 0.2 };
    await expect(open(`127.0.0.1:${port}`, limits).tagNames(signal)).rejects.toEqual(silent);
    const slow = await startScripted((_asked, response) => {
      response.writeHead(200).write('{"tags":[');
      return null;
    });
    await expect(open(slow.host, limits).tagNames(signal)).rejects.toEqual(silent);
    const stop = new AbortController();
    const asking = open(slow.host).tagNames(stop.signal);
    stop.abort(new Error('The lease is lost.'));
    await expect(asking).rejects.toThrow('The lease is lost.');
  });

  test('it answers half: the connection ends, or the text does', async () => {
    const cut = await startScripted((_asked, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"tags":[');
      setImmediate(() => response.destroy());
      return null;
    });
    await expect(open(cut.host).tagNames(signal)).rejects.toEqual(
      passing('REGISTRY_ANSWER_CUT', /ended the connection before its answer was whole/),
    );
    expect(cut.asked.length).toBe(2);
    const half = await startScripted(() => ({ body: '{"tags":[' }));
    await expect(open(half.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /its answer is no JSON/),
    );
    const { script } = imagesFor(['amd64'], false);
    const short = await startScripted((asked, response) => {
      const reply = script(asked, response);
      return asked.url.pathname.includes('/blobs/') ? { ...reply, body: '{}' } : reply;
    });
    await expect(open(short.host).resolve('1.0', null, signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /does not have the digest that was asked for/),
    );
  });

  test('it is no registry, sends too much, or a manifest that is none', async () => {
    const page = await startScripted(() => ({ body: '<html>' }));
    await expect(open(page.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_INVALID', /Check the name and the port/),
    );
    const flood = await startScripted(() => ({ body: ' '.repeat(9 * 2 ** 20) }));
    await expect(open(flood.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ANSWER_TOO_LARGE', /more than the 8 MiB that are read/),
    );
    const denied = await startScripted(() => ({ status: 403 }));
    await expect(open(denied.host).tagNames(signal)).rejects.toEqual(
      lasting('REGISTRY_ACCESS_DENIED', /give this user the right to pull/),
    );
    const helm = await startScripted(() => json({ mediaType: 'application/vnd.helm' }));
    await expect(open(helm.host).resolve('1.0', null, signal)).rejects.toEqual(
      lasting('MANIFEST_UNSUPPORTED', /type "application\/vnd\.helm" there, which is no image/),
    );
    const manifests: readonly [unknown, RegExp][] = [
      [{ mediaType: 'application/vnd.oci.image.index.v1+json' }, /list of manifests is none/],
      [{ mediaType: 'application/vnd.oci.image.manifest.v1+json' }, /has no size/],
      [[], /no JSON object/],
    ];
    for (const [manifest, message] of manifests) {
      const odd = await startScripted(({ url }) =>
        url.pathname.includes('/manifests/') ? json(manifest) : noSuch('NAME_UNKNOWN'),
      );
      await expect(open(odd.host).resolve('1.0', null, signal)).rejects.toEqual(
        lasting('REGISTRY_ANSWER_INVALID', message),
      );
    }
  });
});
