/** Container repositories and their registries: credentials, and tags that are read by an operation. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { imagesFor, json, startScripted } from '../drivers/scripted-registry.ts';
import { hasRegistry, registryUser, startRegistry } from '../harness/registry.ts';
import type { Data } from './api.ts';
import { type Fleet, openFleet } from './fleet.ts';

const shown = `stateName sequence tagsSyncedAt
  tags { name digest createdAt sizeBytes }
  lastTagSync { id kind status phase progress cancellable requestedBy { name }
    failure { code message retryable stage } resource { __typename key stateName sequence } }`;
const refused = '... on UserError { code message } ... on InvalidInput { issues { path message } }';

describe.each(['PGLITE', 'POSTGRES'] as const)('tags on %s', (kind) => {
  let fleet: Fleet;
  let key: string;
  let count = 0;
  beforeAll(async () => {
    fleet = await openFleet(kind);
  });
  afterAll(() => fleet?.close());
  beforeEach(() => {
    count += 1;
    key = `images-${count}`;
  });

  async function save(field: string, input: Data): Promise<Data> {
    const name = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const { [field]: result } = await fleet.ask(
      `mutation ($input: ${name}!) { ${field}(input: $input) { __typename ${refused}
         ... on ContainerRepositorySaved { containerRepository {
           image registry path insecure credentials { username hasPassword } tagsSyncedAt } } } }`,
      { input },
    );
    return result.containerRepository ?? result;
  }

  const create = (host: string, more: Data = {}) =>
    save('createContainerRepository', { key, image: `${host}/team/runtime`, ...more });
  const update = (input: Data) =>
    save('updateContainerRepository', { containerRepository: key, ...input });

  async function begin(input: Data = {}): Promise<string> {
    const { syncContainerTags } = await fleet.ask(
      `mutation ($input: SyncContainerTagsInput!) { syncContainerTags(input: $input) { __typename
         ${refused} ... on ContainerTagsSyncAccepted { operation { id } } } }`,
      { input: { containerRepository: key, ...input } },
    );
    return syncContainerTags.operation.id;
  }

  /** The repository when the operation is over. */
  async function sync(): Promise<Data> {
    const id = await begin();
    await fleet.ask('query ($id: ID!) { operation(operation: $id, waitSeconds: 30) { id } }', {
      id,
    });
    const repository = await read();
    expect(repository.lastTagSync.id).toBe(id);
    return repository;
  }

  const read = async (): Promise<Data> =>
    (
      await fleet.ask(
        `query ($key: ID!) { containerRepository(containerRepository: $key) { ${shown} } }`,
        { key },
      )
    ).containerRepository;

  const failureOf = async () => (await sync()).lastTagSync.failure;

  test('are read: added, updated, kept where they are needed, else removed', async () => {
    const { script, digest, images } = imagesFor(['amd64']);
    let tags = ['1.9', '1.10', 'latest'];
    const registry = await startScripted((asked, response) => {
      if (asked.url.pathname.endsWith('/tags/list')) return json({ tags });
      const pathname = asked.url.pathname.replace(/\/manifests\/[a-z0-9.]+$/, '/manifests/1.0');
      return script({ ...asked, url: new URL(pathname, asked.url) }, response);
    });
    await create(registry.host, { tags: ['by-hand', 'latest'] });
    expect(await read()).toMatchObject({ stateName: 'READY', sequence: 0, lastTagSync: null });

    const first = await sync();
    expect(first).toMatchObject({ stateName: 'READY', sequence: 2 });
    expect(first.tagsSyncedAt).not.toBeNull();
    expect(first.lastTagSync).toMatchObject({
      ...{ kind: 'SYNC_CONTAINER_TAGS', status: 'SUCCEEDED', phase: null, progress: 1 },
      ...{ cancellable: false, failure: null },
      resource: { __typename: 'ContainerRepository', key, stateName: 'READY', sequence: 2 },
    });
    const createdAt = '2026-03-01T12:00:00.000Z';
    const sizeBytes = images[0]?.sizeBytes;
    const known = (name: string) => ({ name, digest, createdAt, sizeBytes });
    const unknown = (name: string) => ({ name, digest: null, createdAt: null, sizeBytes: null });
    expect(first.tags).toEqual([
      ...[known('1.10'), known('1.9'), known('latest'), unknown('by-hand')],
    ]);

    tags = ['1.10', '2.0'];
    registry.asked.length = 0;
    const second = await sync();
    expect(second.tags).toEqual([
      ...[known('2.0'), known('1.10'), unknown('latest'), unknown('by-hand')],
    ]);
    // What has the digest of before is not read again.
    const of110 = registry.asked.filter(({ url }) => url.pathname.endsWith('/manifests/1.10'));
    expect(of110.map(({ method }) => method)).toEqual(['HEAD']);

    await update({ image: `${registry.host}/team/other` });
    const moved = await read();
    expect(moved.tagsSyncedAt).toBeNull();
    expect(moved.tags.map((tag: Data) => tag.digest)).toEqual([null, null, null, null]);
  });

  test('one reading at a time, told by `changes` and shown with its progress', async () => {
    let answer: () => void = () => undefined;
    const registry = await startScripted((_asked, response) => {
      answer = () => response.end('{"tags":[]}');
      return null;
    });
    await create(registry.host);
    const changes = await fleet.stream(
      `subscription ($key: ID!) { changes(filter: { containerRepository: [$key] }) {
         ... on ResourceChange { kind resource { __typename key stateName sequence } } } }`,
      { key },
    );
    const id = await begin();
    expect(await begin()).toBe(id);
    await expect
      .poll(() => read(), { timeout: 30_000 })
      .toMatchObject({
        ...{ stateName: 'SYNCING', sequence: 1 },
        lastTagSync: { id, status: 'RUNNING', phase: 'LISTING_TAGS' },
      });
    const cancelled = await fleet.ask(
      `mutation ($id: ID!) { cancelOperation(input: { operation: $id }) {
         __typename ... on UserError { code message } } }`,
      { id },
    );
    expect(cancelled.cancelOperation).toMatchObject({
      code: 'NOT_CANCELLABLE',
      message: expect.stringContaining('ends by itself, at its deadline at the latest'),
    });
    // The probe for TLS is not answered with TLS, so the first request is the list.
    await expect.poll(() => registry.asked.length, { timeout: 30_000 }).toBeGreaterThan(0);
    answer();
    const events = await fleet.take(changes, 3);
    expect(events.map(({ changes: { kind: what, resource } }) => [what, resource.key])).toEqual([
      ...[
        ['OPERATION', key],
        ['OPERATION', key],
        ['OPERATION', key],
      ],
    ]);
    expect(await read()).toMatchObject({
      ...{ stateName: 'READY', sequence: 2 },
      lastTagSync: { status: 'SUCCEEDED' },
    });
    const { operations } = await fleet.ask(
      `query ($key: ID!) { operations(filter: { containerRepository: [$key] }) { totalCount } }`,
      { key },
    );
    expect(operations.totalCount).toBe(1);
  });

  test('a repeat with the same idempotency key answers with the same operation', async () => {
    const registry = await startScripted(() => json({ tags: [] }));
    await create(registry.host);
    const id = await begin({ idempotencyKey: 'once' });
    await fleet.ask('query ($id: ID!) { operation(operation: $id, waitSeconds: 30) { id } }', {
      id,
    });
    expect(await begin({ idempotencyKey: 'once' })).toBe(id);
    expect(await begin()).not.toBe(id);
  });

  test('failures are told apart, keep the tags, and can be tried again', async () => {
    const { script } = imagesFor(['amd64']);
    let status = 404;
    const registry = await startScripted((asked, response) =>
      status === 200 ? script(asked, response) : { status, headers: { 'retry-after': '3600' } },
    );
    await create(registry.host, { tags: ['1.0'] });
    expect(await failureOf()).toMatchObject({
      ...{ code: 'IMAGE_NOT_FOUND', retryable: false, stage: 'READING_TAGS' },
    });
    status = 429;
    expect(await failureOf()).toMatchObject({
      code: 'REGISTRY_TOO_MANY_REQUESTS',
      retryable: true,
    });
    expect(await read()).toMatchObject({
      ...{ stateName: 'READY', tagsSyncedAt: null, lastTagSync: { status: 'FAILED' } },
      tags: [{ name: '1.0' }],
    });
    status = 200;
    expect((await sync()).lastTagSync.status).toBe('SUCCEEDED');
  });

  test('what is not read by its deadline times out', async () => {
    await create('127.0.0.1:9');
    await fleet.executor.stop();
    const id = await begin();
    await fleet.store.database.query(
      `update operations set deadline_at = clock_timestamp() - interval '1 second'
        where container_repository_id is not null and status = 'QUEUED'`,
    );
    await fleet.restartExecutor();
    const query = `query ($id: ID!) { operation(operation: $id, waitSeconds: 30) {
      status failure { code message } } }`;
    expect((await fleet.ask(query, { id })).operation).toEqual({
      status: 'TIMED_OUT',
      failure: {
        code: 'DEADLINE_EXCEEDED',
        message: expect.stringContaining('were not read by the deadline: read them again'),
      },
    });
  });

  test('credentials are sealed, never shown, and no other registry gets them', async () => {
    const shownAs = { username: 'fleet', hasPassword: true };
    expect(await create('registry.example:5000', { credentials: registryUser })).toEqual({
      ...{ image: 'registry.example:5000/team/runtime', registry: 'registry.example:5000' },
      ...{ path: 'team/runtime', insecure: false, credentials: shownAs, tagsSyncedAt: null },
    });
    const rows = await fleet.store.database.query(
      'select to_jsonb(r)::text as text from container_repositories r',
    );
    expect(JSON.stringify(rows)).not.toContain(registryUser.password);
    expect((await update({ credentials: { username: 'other' } })).credentials).toEqual({
      ...shownAs,
      username: 'other',
    });
    for (const credentials of [undefined, { username: 'fleet' }]) {
      const moved = await update({ image: 'other.example/team/runtime', credentials });
      expect(moved.issues).toEqual([
        { path: 'credentials', message: expect.stringContaining('does not get the password') },
      ]);
    }
    expect((await update({ credentials: { username: 'a:b', password: '' } })).issues).toEqual([
      { path: 'credentials.username', message: expect.stringContaining('without colons') },
      { path: 'credentials.password', message: expect.stringContaining('1 to 8,192') },
    ]);
    expect((await update({ credentials: null })).credentials).toBeNull();
    expect((await update({ credentials: { username: 'fleet' } })).issues).toEqual([
      { path: 'credentials.password', message: 'There is none yet: give it.' },
    ]);
  });

  test.skipIf(!hasRegistry)(
    'the registry of Debian: with a password, and with a wrong one',
    async () => {
      const registry = await startRegistry();
      try {
        const digest = await registry.push('team/runtime', '1.0');
        await create(registry.host, { credentials: registryUser, tags: ['1.0'] });
        expect((await sync()).tags).toMatchObject([{ name: '1.0', digest }]);
        await update({ credentials: { username: 'fleet', password: 'guess' } });
        expect(await failureOf()).toMatchObject({ code: 'REGISTRY_CREDENTIALS_WRONG' });
        await update({ credentials: null });
        expect(await failureOf()).toMatchObject({ code: 'REGISTRY_CREDENTIALS_MISSING' });
      } finally {
        await registry.stop();
      }
      expect(await failureOf()).toMatchObject({ code: 'REGISTRY_UNREACHABLE', retryable: true });
    },
  );
});
