/** Solutions, repositories and billing subscriptions: saved, found, listed, refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { globalId } from '../../src/api/base/ids.ts';
import { type Api, type Data, openApi } from './api.ts';

const save = (field: string, saved: string) => {
  // A creation that names nothing else finds all that it asks for: the union has no such member.
  const namesNothing = /^create(?!Instance)/.test(field);
  const refusal = `... on UserError { code message } ... on InvalidInput { issues { path message } }
    ${namesNothing ? '' : '... on ResourceNotFound { kind reference }'}
    ... on Conflict { path currentVersion }`;
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}`;
  return `mutation ($input: ${type}Input!) {
    ${field}(input: $input) { __typename ${saved} ${refusal} }
  }`;
};

const documents = {
  createSolution: save('createSolution', '... on SolutionSaved { solution { id key version } }'),
  updateSolution: save(
    'updateSolution',
    '... on SolutionSaved { solution { name description definition version } }',
  ),
  publishSolutionVersion: save(
    'publishSolutionVersion',
    '... on SolutionVersionPublished { version { id version solution { key latestVersion { version } } } }',
  ),
  deleteSolution: save('deleteSolution', '... on SolutionDeleted { deletedId }'),
  createContainerRepository: save(
    'createContainerRepository',
    '... on ContainerRepositorySaved { containerRepository { key image defaultTag tags { name } } }',
  ),
  addContainerTag: save(
    'addContainerTag',
    '... on ContainerRepositorySaved { containerRepository { defaultTag tags { name } version } }',
  ),
  createDeviceRepository: save(
    'createDeviceRepository',
    '... on DeviceRepositorySaved { deviceRepository { id key storage usedBy { key } } }',
  ),
  createBillingSubscription: save(
    'createBillingSubscription',
    '... on BillingSubscriptionSaved { billingSubscription { id key trial } }',
  ),
  updateBillingSubscription: save(
    'updateBillingSubscription',
    '... on BillingSubscriptionSaved { billingSubscription { name trial version } }',
  ),
  createInstance: save('createInstance', '... on InstanceSaved { instance { id key } }'),
};

describe.each(['PGLITE', 'POSTGRES'] as const)('the catalogue on %s', (kind) => {
  let api: Api;
  beforeAll(async () => {
    api = await openApi(kind);
  });
  afterAll(() => api?.close());

  const mutate = async (field: keyof typeof documents, input: Data, organization?: string) =>
    (await api.ask(documents[field], { input }, organization))[field];

  const keysOf = async (page: string, list = 'solutions') => {
    const data = await api.ask(`{ ${list}(${page}) { nodes { key } pageInfo { hasNextPage
      hasPreviousPage startCursor endCursor } totalCount edges { cursor node { key } } } }`);
    return { ...data[list], keys: data[list].nodes.map(({ key }: Data) => key) };
  };

  test('a solution is created, published, edited and deleted', async () => {
    expect(await mutate('createSolution', { key: 'life', definition: greenhouse })).toMatchObject({
      __typename: 'SolutionSaved',
      solution: { key: 'life', version: 1 },
    });
    expect(await mutate('publishSolutionVersion', { solution: 'life' })).toMatchObject({
      __typename: 'SolutionVersionPublished',
      version: { version: '1.0', solution: { key: 'life', latestVersion: { version: '1.0' } } },
    });
    await mutate('publishSolutionVersion', { solution: 'life' });
    const { solution } = await api.ask(`{ solution(solution: "life") { id latestVersion { version }
      versions { nodes { version } totalCount }
      oldest: versions(orderBy: { field: PUBLISHED_AT }, first: 1) { nodes { version } totalCount
        pageInfo { hasNextPage } }
      one: versions(filter: { version: ["1.1"] }) { nodes { version } totalCount } } }`);
    expect(solution).toMatchObject({
      latestVersion: { version: '1.1' },
      versions: { nodes: [{ version: '1.1' }, { version: '1.0' }], totalCount: 2 },
      oldest: { nodes: [{ version: '1.0' }], totalCount: 2, pageInfo: { hasNextPage: true } },
      one: { nodes: [{ version: '1.1' }], totalCount: 1 },
    });

    // An absent field keeps, null clears; the id does as well as the key.
    const updated = await mutate('updateSolution', { solution: solution.id, description: 'why' });
    expect(updated.solution).toMatchObject({ name: 'life', description: 'why' });
    const cleared = await mutate('updateSolution', { solution: 'life', description: null });
    expect(cleared.solution).toMatchObject({ description: null, definition: greenhouse });

    expect(await mutate('deleteSolution', { solution: 'life' })).toEqual({
      __typename: 'SolutionDeleted',
      deletedId: solution.id,
    });
    const { keys } = await keysOf('filter: { text: "life" }');
    expect(keys).toEqual([]);
    expect((await keysOf('filter: { text: "life", archived: true }')).keys).toEqual(['life']);
    const { node } = await api.ask(
      'query ($id: ID!) { node(id: $id) { __typename id ... on Solution { key archivedAt } } }',
      { id: solution.id },
    );
    expect(node).toMatchObject({ __typename: 'Solution', id: solution.id, key: 'life' });
    expect(node.archivedAt).toEqual(expect.any(String));
  });

  test('bad input is refused by type, all issues at once', async () => {
    const invalid = await mutate('createSolution', { key: 'Not A Key', definition: { name: 7 } });
    expect(invalid).toMatchObject({ __typename: 'InvalidInput', code: 'INVALID_INPUT' });
    expect(invalid.issues.length).toBeGreaterThan(1);
    expect(invalid.message).toContain(invalid.issues[0].message);

    await mutate('createSolution', { key: 'taken' });
    expect(await mutate('createSolution', { key: 'taken' })).toMatchObject({
      __typename: 'Conflict',
      code: 'KEY_TAKEN',
      path: 'key',
    });
    expect(
      await mutate('updateSolution', { solution: 'taken', expectedVersion: 9, name: 'x' }),
    ).toMatchObject({
      __typename: 'Conflict',
      code: 'VERSION_CONFLICT',
      path: 'expectedVersion',
      currentVersion: 1,
    });

    const missing = { __typename: 'ResourceNotFound', code: 'NOT_FOUND', kind: 'SOLUTION' };
    expect(await mutate('deleteSolution', { solution: 'nowhere' })).toMatchObject({
      ...missing,
      reference: 'nowhere',
    });
    // An id that is well-formed but of nothing, and one of another type, as they were given.
    const { organizationId } = api;
    for (const id of [globalId('Solution', organizationId), globalId('Host', organizationId)]) {
      expect(await mutate('deleteSolution', { solution: id })).toMatchObject({
        ...missing,
        reference: id,
      });
    }
  });

  test('an idempotency key answers the same again', async () => {
    const input = { key: 'once', idempotencyKey: 'k1' };
    const first = await mutate('createBillingSubscription', input);
    expect(await mutate('createBillingSubscription', input)).toEqual(first);
  });

  test('repositories and subscriptions are saved and found', async () => {
    expect(
      await mutate('createContainerRepository', {
        key: 'images',
        image: 'registry.example/runtime',
        tags: ['1.0', '1.1'],
      }),
    ).toMatchObject({ containerRepository: { defaultTag: '1.1' } });
    const added = await mutate('addContainerTag', {
      containerRepository: 'images',
      tag: '2.0',
      default: true,
    });
    expect(added.containerRepository).toMatchObject({ defaultTag: '2.0', version: 2 });
    expect(added.containerRepository.tags[0]).toEqual({ name: '2.0' });
    expect(added.containerRepository.tags).toHaveLength(3);

    expect(await mutate('createDeviceRepository', { key: 'local-devices' })).toMatchObject({
      deviceRepository: { storage: 'LOCAL', usedBy: null },
    });
    await mutate('createBillingSubscription', { key: 'trial', trial: true });
    expect(
      await mutate('updateBillingSubscription', { billingSubscription: 'trial', trial: false }),
    ).toMatchObject({ billingSubscription: { trial: false, version: 2 } });
    const data = await api.ask(`{
      containerRepository(containerRepository: "images") { image instances { totalCount } }
      deviceRepository(deviceRepository: "local-devices") { devices { totalCount } }
      billingSubscription(billingSubscription: "trial") { key
        instances { nodes { key } totalCount } hosts { nodes { key } totalCount } }
      nothing: solution(solution: "nothing") { key }
      images: containerRepositories(filter: { image: ["registry.example/runtime"] }) {
        nodes { key } }
      free: deviceRepositories(filter: { used: false, storage: [LOCAL] }) { nodes { key } }
      used: deviceRepositories(filter: { used: true }) { totalCount }
      trials: billingSubscriptions(filter: { trial: true }) { totalCount } }`);
    expect(data).toEqual({
      containerRepository: { image: 'registry.example/runtime', instances: { totalCount: 0 } },
      deviceRepository: { devices: null },
      billingSubscription: {
        key: 'trial',
        instances: { nodes: [], totalCount: 0 },
        hosts: { nodes: [], totalCount: 0 },
      },
      nothing: null,
      images: { nodes: [{ key: 'images' }] },
      free: { nodes: [{ key: 'local-devices' }] },
      used: { totalCount: 0 },
      trials: { totalCount: 0 },
    });
  });

  describe('with forty solutions', () => {
    const all = Array.from({ length: 40 }, (_, index) => `page-${String(index).padStart(2, '0')}`);
    beforeAll(async () => {
      // Many of one name: equals are ordered by id, and none is lost between two pages.
      for (const key of all) await mutate('createSolution', { key, name: 'The 100% same_name' });
    });
    const filter = 'filter: { text: "page-" }';

    test('pages forwards and backwards meet every row once', async () => {
      for (const field of ['KEY', 'NAME', 'CREATED_AT', 'UPDATED_AT']) {
        for (const direction of ['ASC', 'DESC']) {
          const order = `orderBy: { field: ${field}, direction: ${direction} }`;
          const whole = await keysOf(`${filter}, ${order}`);
          expect(whole.totalCount).toBe(40);
          expect([...whole.keys].sort()).toEqual(all);
          const forwards: string[] = [];
          for (let after = ''; ; ) {
            const page = await keysOf(
              `${filter}, ${order}, first: 7 ${after && `, after: "${after}"`}`,
            );
            expect(page.pageInfo.hasPreviousPage).toBe(after !== '');
            forwards.push(...page.keys);
            after = page.pageInfo.endCursor;
            if (!page.pageInfo.hasNextPage) break;
          }
          expect(forwards).toEqual(whole.keys);
          const backwards: string[] = [];
          for (let before = ''; ; ) {
            const page = await keysOf(
              `${filter}, ${order}, last: 9 ${before && `, before: "${before}"`}`,
            );
            expect(page.pageInfo.hasNextPage).toBe(before !== '');
            backwards.unshift(...page.keys);
            before = page.pageInfo.startCursor;
            if (!page.pageInfo.hasPreviousPage) break;
          }
          expect(backwards).toEqual(whole.keys);
        }
      }
    });

    test('a filter takes % and _ as they are', async () => {
      expect((await keysOf('filter: { text: "100% SAME_" }')).totalCount).toBe(40);
      expect((await keysOf('filter: { text: "100%same" }')).totalCount).toBe(0);
      expect((await keysOf('filter: { text: "page_0" }')).totalCount).toBe(0);
    });

    test('pages out of bounds and cursors of elsewhere are refused', async () => {
      const { pageInfo } = await keysOf('first: 1, orderBy: { field: NAME }');
      const bad = [
        'first: 0',
        'first: 201',
        'first: -1',
        'last: 0',
        'first: 1, last: 1',
        'after: ""',
        'after: "rubbish"',
        `after: "${Buffer.from('["KEY"]').toString('base64url')}"`,
        `after: "${Buffer.from('["KEY",1,2]').toString('base64url')}"`,
        `after: "${Buffer.from('["KEY","a","not a uuid"]').toString('base64url')}"`,
        `after: "${pageInfo.endCursor}"`,
      ];
      for (const page of bad) {
        const { data, errors } = await api.answer(
          `{ solutions(${page}) { nodes { key } } solution(solution: "page-00") { key } }`,
        );
        expect(data, page).toEqual({ solutions: null, solution: { key: 'page-00' } });
        const code = page.startsWith('after') ? 'CURSOR_INVALID' : 'BAD_USER_INPUT';
        expect(errors, page).toMatchObject([{ code, path: 'solutions' }]);
      }
    });

    test('what is nested is read in the statement of the list', async () => {
      await mutate('publishSolutionVersion', { solution: 'page-00', definition: greenhouse });
      const statements = await api.statements(() =>
        api.ask(`{ solutions(first: 50) { edges { cursor node { key
          versions(first: 3) { totalCount nodes { version solution { key } } }
          instances { totalCount nodes { key host { key } } } } } } }`),
      );
      expect(statements).toHaveLength(1);
      const counted = await api.statements(() => keysOf('first: 5'));
      expect(counted).toHaveLength(2);
      expect(await api.statements(() => api.ask('{ solutions { totalCount } }'))).toHaveLength(1);
    });

    test('two selections of one relation are two reads, not one for each row', async () => {
      const statements = await api.statements(() =>
        api.ask(`{ solutions(first: 50) { nodes { latestVersion { version }
          versions { nodes { version } }
          some: versions(filter: { version: ["1.0"] }) { totalCount nodes { version } } } } }`),
      );
      expect(statements.length).toBeLessThanOrEqual(3);
    });
  });

  test('devices are read for all repositories at once, ordered and paged', async () => {
    for (const key of ['north', 'south']) {
      const { deviceRepository } = await mutate('createDeviceRepository', {
        key,
        storage: 'CLOUD',
      });
      const { id } = await api.store.database.drizzle.query.deviceRepositories
        .findFirst({ where: { key } })
        .then((row) => row ?? { id: deviceRepository.id });
      await api.store.database.query(
        `insert into device_values (device_repository_id, device, field, value, at, received_at)
         select $1::uuid, 'device-' || n, field, to_jsonb(n), timestamptz '2031-01-01' - n * interval '1 hour',
                timestamptz '2026-01-01' + n * interval '1 hour'
           from generate_series(1, 5) n, unnest(array['temperature', 'humidity']) field`,
        [id],
      );
    }
    const query = (args: string) => `{ deviceRepositories(filter: { key: ["north", "south"] }) {
      nodes { key devices(${args}) { totalCount pageInfo { hasNextPage endCursor }
        nodes { name lastSeenAt values { field value at } } } } } }`;
    let data: Data = {};
    const statements = await api.statements(async () => {
      data = await api.ask(query('first: 2, orderBy: { field: LAST_SEEN_AT, direction: DESC }'));
    });
    expect(statements).toHaveLength(2);
    const [north, south] = data.deviceRepositories.nodes;
    expect(south.devices).toEqual({
      ...north.devices,
      pageInfo: south.devices.pageInfo,
    });
    expect(north.devices).toMatchObject({
      totalCount: 5,
      pageInfo: { hasNextPage: true },
      nodes: [
        {
          name: 'device-5',
          lastSeenAt: '2026-01-01T05:00:00.000Z',
          values: [
            { field: 'humidity', value: 5 },
            { field: 'temperature', value: 5 },
          ],
        },
        { name: 'device-4' },
      ],
    });
    const rest = await api.ask(
      query(
        `last: 3, before: "${north.devices.pageInfo.endCursor}",
         orderBy: { field: LAST_SEEN_AT, direction: DESC }`,
      ),
    );
    expect(rest.deviceRepositories.nodes[0].devices.nodes).toMatchObject([{ name: 'device-5' }]);
    const found = await api.ask(
      query(`filter: { text: "VICE-", name: ["device-1", "device-2"],
        lastSeenAt: { since: "2026-01-01T02:00:00Z", until: "2026-01-01T03:00:00Z" } }`),
    );
    expect(found.deviceRepositories.nodes[0].devices).toMatchObject({
      totalCount: 1,
      nodes: [{ name: 'device-2' }],
    });
  });

  test('nothing of another organization is seen, saved or found', async () => {
    const other = await api.organization('elsewhere');
    const { solution } = await mutate('createSolution', { key: 'theirs' }, other);
    expect(solution.key).toBe('theirs');
    const { id } = solution;
    const data = await api.ask(
      `query ($id: ID!) { node(id: $id) { id } nodes(ids: [$id, "rubbish", $id]) { id }
        byId: solution(solution: $id) { key } byKey: solution(solution: "theirs") { key }
        solutions(filter: { key: ["theirs"] }) { totalCount nodes { key } } }`,
      { id },
    );
    expect(data).toEqual({
      node: null,
      nodes: [null, null, null],
      byId: null,
      byKey: null,
      solutions: { totalCount: 0, nodes: [] },
    });
    for (const reference of [id, 'theirs']) {
      expect(await mutate('deleteSolution', { solution: reference })).toMatchObject({
        __typename: 'ResourceNotFound',
      });
    }
    const theirs = await api.ask(
      'query ($id: ID!) { nodes(ids: [$id]) { id } solutions { nodes { key } } }',
      { id },
      other,
    );
    expect(theirs).toEqual({ nodes: [{ id }], solutions: { nodes: [{ key: 'theirs' }] } });
  });

  test('who asks, and what of', async () => {
    const { viewer, server, stateMachine } = await api.ask(`{
      viewer { name kind expiresAt organization { key } }
      server { version dnsZone limits { pageSize waitSeconds } }
      stateMachine(kind: HOST) { mermaid states { name billed deadlineSeconds }
        commands { action cells { state outcome code } } } }`);
    expect(viewer).toMatchObject({ name: 'tester', kind: 'TOKEN', expiresAt: null });
    expect(server).toMatchObject({ dnsZone: 'instances.test', limits: { pageSize: 200 } });
    expect(stateMachine.states).toHaveLength(10);
    expect(stateMachine.mermaid).toContain('OFFLINE --> DEPLOYING: deployHost');
  });

  test('the fleet is counted, and again after each change', async () => {
    await mutate('createBillingSubscription', { key: 'payer' });
    await mutate('createSolution', { key: 'counted' });
    const watched = await api.watch(
      'subscription { fleet { instanceCount hostCount convergedCount instancesByState { state count } } }',
    );
    const first = (await watched.next()).value.fleet;
    expect(first).toMatchObject({ instanceCount: 0, hostCount: 0, convergedCount: 0 });
    expect(first.instancesByState).toHaveLength(12);
    const begun = performance.now();
    for (let n = 1; n <= 10; n += 1) {
      await mutate('createDeviceRepository', { key: `fleet-${n}` });
      const created = await mutate('createInstance', {
        key: `fleet-${n}`,
        solution: 'counted',
        subscription: 'payer',
        deviceRepository: `fleet-${n}`,
        configuration: { app: {} },
      });
      expect(created).toMatchObject({ __typename: 'InstanceSaved' });
    }
    let updates = 0;
    for (;;) {
      updates += 1;
      const { fleet } = (await watched.next()).value;
      if (fleet.instanceCount < 10) continue;
      expect(fleet).toMatchObject({ instanceCount: 10, hostCount: 10 });
      break;
    }
    expect(updates).toBeLessThanOrEqual(1 + (performance.now() - begun) / 250);
    await watched.return?.();
    const { fleet } = await api.ask(`{ fleet(filter: { instances: { key: ["fleet-1"] },
      hosts: { key: ["none"], archived: true } }) { instanceCount hostCount cursor at
      instancesByState { state count } hostsByState { count } } }`);
    expect(fleet).toMatchObject({ instanceCount: 1, hostCount: 0 });
    expect(fleet.instancesByState[0]).toEqual({ state: 'OFFLINE', count: 1 });
    expect(Math.abs(Date.parse(fleet.at) - Date.now())).toBeLessThan(60_000);
    const { deviceRepository } = await api.ask(
      '{ deviceRepository(deviceRepository: "fleet-1") { usedBy { key } } }',
    );
    expect(deviceRepository).toEqual({ usedBy: { key: 'fleet-1' } });
  });
});
