/** Compute providers: saved, found, listed, refused; hosts on them; their secrets; their changes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { globalId } from '../../src/api/base/ids.ts';
import { findProvider } from '../../src/store/read/providers.ts';
import { makeCertificate } from '../harness/certificate.ts';
import { type Api, type Data, openApi } from './api.ts';
import { type Fleet, openFleet } from './fleet.ts';

const refusal = `... on UserError { code message } ... on InvalidInput { issues { path message } }`;
const provider = `computeProvider {
  id key name description labels { name value } kind hasCredentials isDefault version
  configuration { __typename ... on DockerProviderConfiguration {
    kind endpoint tls { caCertificate clientCertificate } insecure publishAddress }
    ... on ProcessProviderConfiguration { kind } }
  status { reachable version checkedAt failure { code message } capacity { cpus memoryBytes }
    allocated { cpus memoryBytes } nodes { name platform capacity { cpus } } } }`;
const documents = {
  createComputeProvider: `... on ComputeProviderSaved { ${provider} }`,
  updateComputeProvider: `... on ComputeProviderSaved { ${provider} }`,
  deleteComputeProvider: '... on ComputeProviderDeleted { deletedId }',
  checkComputeProvider: `... on ComputeProviderChecked { isChecked ${provider} }`,
  createHost: '... on HostSaved { host { key driver provider { key } } }',
  updateHost: '... on HostSaved { host { key driver provider { key } } }',
  createInstance: '... on InstanceSaved { instance { key host { key provider { key } } } }',
  deleteHost: '... on HostDeleted { deletedId }',
};

async function run(
  api: Pick<Api, 'ask'>,
  field: keyof typeof documents,
  input: Data,
  organization?: string,
): Promise<Data> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) {
    ${field}(input: $input) { __typename ${documents[field]} ${refusal} } }`;
  const { [field]: result } = await api.ask(document, { input }, organization);
  return result;
}

const socket = { docker: { endpoint: 'unix:///var/run/docker.sock' } };
const [key, certificate] = (() => {
  const pem = makeCertificate();
  const at = pem.indexOf('-----BEGIN CERTIFICATE');
  return [pem.slice(0, at), pem.slice(at)];
})();

describe.each(['PGLITE', 'POSTGRES'] as const)('compute providers on %s', (kind) => {
  let api: Api;
  beforeAll(async () => {
    api = await openApi(kind);
    for (const [field, input] of [
      ['createBillingSubscription', { key: 'trial' }],
      ['createSolution', { key: 'solution' }],
    ] as const) {
      const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
      await api.ask(`mutation ($input: ${type}!) { ${field}(input: $input) { __typename } }`, {
        input,
      });
    }
  });
  afterAll(() => api?.close());

  const mutate = (field: keyof typeof documents, input: Data, organization?: string) =>
    run(api, field, input, organization);
  const find = async (reference: string, organization?: string): Promise<Data> =>
    (
      await api.ask(
        `query ($key: ID!) { computeProvider(computeProvider: $key) { ${provider.slice(17, -1)} } }`,
        { key: reference },
        organization,
      )
    ).computeProvider;
  const pathsOf = (result: Data): string[] =>
    result.issues.map(({ path }: { path: string }) => path);

  test('every organization has the machine of the server from the beginning', async () => {
    const other = await api.organization('other');
    const there = await Promise.all([find('local'), find('local', other)]);
    for (const local of there) {
      expect(local).toMatchObject({
        ...{ key: 'local', kind: 'PROCESS', isDefault: true, hasCredentials: false, version: 1 },
        configuration: { __typename: 'ProcessProviderConfiguration', kind: 'PROCESS' },
        status: { reachable: null, checkedAt: null, failure: null, capacity: null, nodes: [] },
      });
    }
    expect(there[0]?.id).not.toBe(there[1]?.id);
    expect(await find(there[1]?.id)).toBeNull();
    const { computeProviders } = await api.ask(
      '{ computeProviders(filter: { kind: [PROCESS], isDefault: true }) { nodes { key } totalCount } }',
    );
    expect(computeProviders).toEqual({ nodes: [{ key: 'local' }], totalCount: 1 });
  });

  test('an engine is registered, edited and deleted', async () => {
    const created = await mutate('createComputeProvider', {
      key: 'here',
      labels: [{ name: 'room', value: '1' }],
      configuration: socket,
    });
    expect(created.computeProvider).toMatchObject({
      ...{ key: 'here', name: 'here', kind: 'DOCKER', isDefault: false, hasCredentials: false },
      labels: [{ name: 'room', value: '1' }],
      configuration: {
        ...{ endpoint: 'unix:///var/run/docker.sock', tls: null, insecure: false },
        publishAddress: '127.0.0.1',
      },
      status: { reachable: null, allocated: { cpus: 0, memoryBytes: 0 } },
    });
    const { id } = created.computeProvider;
    const updated = await mutate('updateComputeProvider', {
      ...{ computeProvider: id, name: 'Here', description: 'the engine', expectedVersion: 1 },
      configuration: { docker: { endpoint: 'tcp://localhost:2375', publishAddress: '127.0.0.9' } },
    });
    expect(updated.computeProvider).toMatchObject({
      ...{ name: 'Here', description: 'the engine', version: 2 },
      labels: [{ name: 'room', value: '1' }],
      configuration: { endpoint: 'tcp://localhost:2375', publishAddress: '127.0.0.9' },
    });
    expect(
      await mutate('updateComputeProvider', { computeProvider: 'here', expectedVersion: 1 }),
    ).toMatchObject({ code: 'VERSION_CONFLICT' });
    expect(await mutate('deleteComputeProvider', { computeProvider: 'here' })).toEqual({
      __typename: 'ComputeProviderDeleted',
      deletedId: id,
    });
    expect(await find('here')).toMatchObject({ key: 'here' });
    expect(
      await mutate('createComputeProvider', { key: 'here', configuration: socket }),
    ).toMatchObject({ code: 'KEY_TAKEN' });
    expect(await mutate('deleteComputeProvider', { computeProvider: 'none' })).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('There is no compute provider "none"'),
    });
  });

  test('what is at fault with an endpoint is said, all at once', async () => {
    const faults = async (docker: Data): Promise<string[]> =>
      pathsOf(await mutate('createComputeProvider', { key: 'remote', configuration: { docker } }));
    const at = (...fields: string[]) => fields.map((field) => `configuration.docker.${field}`);
    const tls = { caCertificate: certificate };
    for (const endpoint of ['', 'docker', 'unix://', 'tcp://h', 'tcp://h:0', 'http://h:1/path']) {
      expect(await faults({ endpoint }), endpoint).toEqual(at('endpoint', 'publishAddress'));
    }
    // Runtimes on it could not reach this server.
    expect(await faults({ endpoint: 'tcp://192.0.2.7:2376', tls })).toEqual(at('endpoint'));
    Object.assign(api.store, { publicUrl: 'https://manager.example' });
    try {
      expect(await faults({ endpoint: 'tcp://192.0.2.7:2375' })).toEqual(at('tls'));
      expect(await faults({ endpoint: 'tcp://engine.example:2376', tls })).toEqual(
        at('publishAddress'),
      );
      expect(await faults({ endpoint: 'unix:///run/x.sock', tls })).toEqual(at('tls'));
      expect(
        await faults({
          endpoint: 'tcp://127.0.0.1:2376',
          tls: { caCertificate: 'x', clientCertificate: certificate },
        }),
      ).toEqual(at('tls.caCertificate', 'tls.clientKey'));
      expect(
        await faults({
          endpoint: 'tcp://127.0.0.1:2376',
          tls: { ...tls, clientCertificate: certificate, clientKey: certificate },
        }),
      ).toEqual(at('tls.clientKey'));
      const insecure = await mutate('createComputeProvider', {
        key: 'insecure',
        configuration: { docker: { endpoint: 'tcp://[2001:db8::7]:2375', insecure: true } },
      });
      expect(insecure.computeProvider.configuration).toMatchObject({
        insecure: true,
        publishAddress: '2001:db8::7',
      });
    } finally {
      Object.assign(api.store, { publicUrl: null });
    }
  });

  test('a client key goes in, is sealed, and never comes out', async () => {
    const tls = { caCertificate: certificate, clientCertificate: certificate, clientKey: key };
    const endpoint = 'tcp://127.0.0.1:2376';
    const created = await mutate('createComputeProvider', {
      key: 'sealed',
      configuration: { docker: { endpoint, tls } },
    });
    expect(created.computeProvider).toMatchObject({
      hasCredentials: true,
      configuration: { tls: { caCertificate: certificate, clientCertificate: certificate } },
    });
    const secret = key?.split('\n')[1] ?? '-';
    expect(JSON.stringify(created)).not.toContain(secret);
    const opened = async () => {
      const [row] = await api.store.database.query<{ id: string; text: string }>(
        `select id, p::text as text from compute_providers p where key = 'sealed'`,
      );
      expect(row?.text).not.toContain(secret);
      return findProvider(api.store, row?.id ?? '');
    };
    expect(await opened()).toMatchObject({ secrets: { clientKey: key } });

    // Without a key the one that was there stays; without a certificate it goes.
    const edit = (edited: Data) =>
      mutate('updateComputeProvider', {
        computeProvider: 'sealed',
        configuration: { docker: { endpoint, ...edited } },
      });
    const { clientKey: _, ...others } = tls;
    expect((await edit({ tls: others })).computeProvider.hasCredentials).toBe(true);
    expect(await opened()).toMatchObject({ version: 2, secrets: { clientKey: key } });
    expect((await edit({})).computeProvider.hasCredentials).toBe(false);
    expect(await opened()).toMatchObject({ version: 3, secrets: null });
  });

  test('hosts are on a provider, for life', async () => {
    await mutate('createComputeProvider', { key: 'engine', configuration: socket });
    const create = (input: Data) => mutate('createHost', input);
    expect((await create({ key: 'on-default' })).host).toEqual({
      ...{ key: 'on-default', driver: 'PROCESS', provider: { key: 'local' } },
    });
    expect((await create({ key: 'on-engine', provider: 'engine' })).host).toEqual({
      ...{ key: 'on-engine', driver: 'DOCKER', provider: { key: 'engine' } },
    });
    expect(pathsOf(await create({ key: 'a1', provider: 'none' }))).toEqual(['provider']);
    expect(pathsOf(await create({ key: 'a1', provider: 'engine', driver: 'PROCESS' }))).toEqual([
      'driver',
    ]);
    expect(pathsOf(await mutate('updateHost', { host: 'on-engine', driver: 'PROCESS' }))).toEqual([
      'driver',
    ]);
    expect(
      (await mutate('updateHost', { host: 'on-engine', driver: 'DOCKER' })).host,
    ).toMatchObject({ provider: { key: 'engine' } });
    const { hosts, computeProvider } = await api.ask(
      `{ hosts(filter: { provider: ["engine"] }) { nodes { key } }
         computeProvider(computeProvider: "engine") { hosts { nodes { key } totalCount } } }`,
    );
    expect(hosts.nodes).toEqual([{ key: 'on-engine' }]);
    expect(computeProvider.hosts).toEqual({ nodes: [{ key: 'on-engine' }], totalCount: 1 });

    expect(await mutate('deleteComputeProvider', { computeProvider: 'engine' })).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('host on-engine'),
    });
    expect((await mutate('deleteHost', { host: 'on-engine' })).__typename).toBe('HostDeleted');
    expect((await mutate('deleteComputeProvider', { computeProvider: 'engine' })).__typename).toBe(
      'ComputeProviderDeleted',
    );
    expect(pathsOf(await create({ key: 'a1', provider: 'engine' }))).toEqual(['provider']);
  });

  test('the host of a new instance is on the provider that it names, or the default', async () => {
    await mutate('createComputeProvider', { key: 'e2', configuration: socket });
    const create = async (name: string, more: Data) => {
      await api.ask(
        `mutation ($key: String!) {
           createDeviceRepository(input: { key: $key, storage: LOCAL }) { __typename } }`,
        { key: name },
      );
      return mutate('createInstance', {
        ...{ key: name, solution: 'solution', subscription: 'trial', deviceRepository: name },
        ...{ configuration: { app: {} }, ...more },
      });
    };
    expect((await create('i1', {})).instance.host.provider.key).toBe('local');
    const { computeProvider } = await api.ask('{ computeProvider(computeProvider: "e2") { id } }');
    expect((await create('i2', { provider: computeProvider.id })).instance.host.provider.key).toBe(
      'e2',
    );
    expect(pathsOf(await create('i3', { provider: 'none' }))).toEqual(['provider']);
    expect(pathsOf(await create('i4', { provider: 'e2', host: 'i1-host' }))).toEqual(['provider']);

    const made = await mutate('updateComputeProvider', { computeProvider: 'e2', default: true });
    expect(made.computeProvider.isDefault).toBe(true);
    expect((await find('local')).isDefault).toBe(false);
    expect((await create('i5', {})).instance.host.provider.key).toBe('e2');
    expect(
      pathsOf(await mutate('updateComputeProvider', { computeProvider: 'e2', default: false })),
    ).toEqual(['default']);
    await mutate('createComputeProvider', { key: 'e3', configuration: socket, default: true });
    expect(await mutate('deleteComputeProvider', { computeProvider: 'e3' })).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('default'),
    });
    await mutate('updateComputeProvider', { computeProvider: 'local', default: true });
  });

  test('local stays what it is', async () => {
    expect(await mutate('deleteComputeProvider', { computeProvider: 'local' })).toMatchObject({
      code: 'IN_USE',
      message: expect.stringContaining('built in'),
    });
    const update = (input: Data) =>
      mutate('updateComputeProvider', { computeProvider: 'local', ...input });
    expect((await update({ name: 'Our machine' })).computeProvider.name).toBe('Our machine');
    expect(pathsOf(await update({ configuration: socket }))).toEqual(['configuration']);
    expect(pathsOf(await update({ configuration: null }))).toEqual(['configuration']);
  });

  test('another organization can neither see nor use it', async () => {
    const other = await api.organization('stranger');
    const { computeProvider } = await mutate('createComputeProvider', {
      key: 'ours',
      configuration: socket,
    });
    for (const reference of ['ours', computeProvider.id]) {
      expect(await find(reference, other)).toBeNull();
      const input = { computeProvider: reference };
      for (const field of ['deleteComputeProvider', 'checkComputeProvider'] as const)
        expect(await mutate(field, input, other)).toMatchObject({ code: 'NOT_FOUND' });
      expect(
        pathsOf(await mutate('createHost', { key: 'h1', provider: reference }, other)),
      ).toEqual(['provider']);
    }
    const { node } = await api.ask(`query ($id: ID!) { node(id: $id) { id } }`, {
      id: computeProvider.id,
    });
    expect(node).toEqual({ id: computeProvider.id });
  });

  test('changes tell of it', async () => {
    const { feedPosition } = await api.ask('{ feedPosition }');
    const { computeProvider } = await mutate('createComputeProvider', {
      key: 'told',
      configuration: socket,
    });
    await mutate('updateComputeProvider', { computeProvider: 'told', name: 'Told' });
    await mutate('createHost', { key: 'between' });
    await mutate('deleteComputeProvider', { computeProvider: 'told' });
    const events = await api.watch(
      `subscription ($after: Cursor!, $of: [ID!]) {
         changes(after: $after, filter: { computeProvider: $of }) { __typename
           ... on ComputeProviderChange { kind computeProvider { id key name version } } } }`,
      { after: feedPosition, of: ['told'] },
    );
    const told: Data[] = [];
    while (told.length < 3) told.push((await events.next()).value.changes);
    await events.return?.();
    const { id } = computeProvider;
    expect(told).toEqual(
      ['CREATED', 'UPDATED', 'ARCHIVED'].map((each) => ({
        ...{ __typename: 'ComputeProviderChange', kind: each },
        computeProvider: { id, key: 'told', name: 'Told', version: 2 },
      })),
    );
    expect(id).toBe(globalId('ComputeProvider', Buffer.from(id, 'base64').toString().slice(16)));
  });

  test('changes tell of the default of before, too', async () => {
    const { feedPosition } = await api.ask('{ feedPosition }');
    const input = { key: 'next-default', configuration: socket, default: true };
    await mutate('createComputeProvider', input);
    await mutate('updateComputeProvider', { computeProvider: 'local', default: true });
    const events = await api.watch(
      `subscription ($after: Cursor!) { changes(after: $after) {
         ... on ComputeProviderChange { kind computeProvider { key } } } }`,
      { after: feedPosition },
    );
    const told: string[] = [];
    while (told.length < 4) {
      const { kind, computeProvider } = (await events.next()).value.changes;
      told.push(`${computeProvider.key} ${kind}`);
    }
    await events.return?.();
    expect(told).toEqual([
      ...['local UPDATED', 'next-default CREATED'],
      ...['next-default UPDATED', 'local UPDATED'],
    ]);
    await mutate('deleteComputeProvider', { computeProvider: 'next-default' });
  });
});

describe.each(['PGLITE', 'POSTGRES'] as const)('a check of a provider on %s', (kind) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet(kind);
  });
  afterAll(() => fleet?.close());

  test('is made at once, tells what was found, and is told of', async () => {
    const check = (reference: string) =>
      run(fleet, 'checkComputeProvider', { computeProvider: reference });
    const found = await check('local');
    expect(found).toMatchObject({
      __typename: 'ComputeProviderChecked',
      isChecked: true,
      computeProvider: {
        status: {
          ...{ reachable: true, version: '1', failure: null, checkedAt: expect.any(String) },
          ...{ capacity: { cpus: 64, memoryBytes: 64 * 1024 ** 3 } },
          nodes: [{ name: 'local', platform: 'scripted/none', capacity: { cpus: 64 } }],
        },
      },
    });
    const { feedPosition } = await fleet.ask('{ feedPosition }');
    fleet.driver.script.fail('inspectEngine');
    const { computeProvider: silent } = await check('local');
    expect(silent.status).toMatchObject({
      ...{ reachable: false, version: '1', capacity: { cpus: 64 } },
      failure: { code: expect.any(String), message: expect.stringMatching(/\w/) },
    });
    await check('local');
    fleet.driver.script.heal('inspectEngine');
    expect((await check('local')).computeProvider.status).toMatchObject({
      ...{ reachable: true, failure: null },
    });
    const events = await fleet.stream(
      `subscription ($after: Cursor!) { changes(after: $after, filter: { computeProvider: ["local"] }) {
         ... on ComputeProviderChange { kind computeProvider { key } } } }`,
      { after: feedPosition },
    );
    const each = { kind: 'REACHABILITY', computeProvider: { key: 'local' } };
    expect(await fleet.take(events, 2)).toEqual([{ changes: each }, { changes: each }]);
  });

  test('what hosts have allocated is that of the allocated ones', async () => {
    const allocated = async () =>
      (
        await fleet.ask(
          '{ computeProvider(computeProvider: "local") { status { allocated { cpus memoryBytes } } } }',
        )
      ).computeProvider.status.allocated;
    expect(await allocated()).toEqual({ cpus: 0, memoryBytes: 0 });
    await run(fleet, 'createHost', { key: 'medium', size: 'MEDIUM' });
    await fleet.command('deployHost', { host: 'greenhouse-1-host' });
    await fleet.command('deployHost', { host: 'medium' });
    await fleet.until('medium', 'RUNNING');
    expect(await allocated()).toEqual({ cpus: 1.5, memoryBytes: 1.5 * 1024 ** 3 });
  });
});
