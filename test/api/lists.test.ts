/** Lists as their readers expect them: the order of names, the text of filters, what lies beyond a page. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, type Data, openApi } from './api.ts';

/** In the order that people expect, the same on both stores. */
const inOrder = [
  ...['9 lives', '10 lives', 'Äpfel', 'apple', 'Apple', 'apple pie', 'b9', 'B9', 'b10'],
  ...['éclair', 'eclipse', 'greenhouse 2', 'greenhouse 10', 'izmir', 'İzmir', 'Strasse', 'Straße'],
  ...['Zebra', 'zoo', 'Ωmega', '한국', '中国'],
];

describe.each(['PGLITE', 'POSTGRES'] as const)('lists on %s', (kind) => {
  let api: Api;
  let repositoryId: string;
  beforeAll(async () => {
    api = await openApi(kind);
    // The keys and the times of creation have other orders than the names.
    const shuffled = inOrder.map((name, index) => ({ name, key: `k-${(index * 13) % 22}` }));
    for (const { name, key } of shuffled.sort((a, b) => (a.key < b.key ? -1 : 1)))
      await create('BillingSubscription', { key, name });
    await create('DeviceRepository', { key: 'devices', storage: 'CLOUD' });
    const [row] = await api.store.database.query<{ id: string }>(
      `insert into device_values (device_repository_id, device, field, value, at)
       select r.id, n, f, '1', clock_timestamp()
         from device_repositories r, jsonb_array_elements_text($1::text::jsonb) n,
              unnest(array['b', 'B', 'a10', 'a9']) f
       returning device_repository_id as id`,
      [JSON.stringify(inOrder)],
    );
    repositoryId = row?.id ?? '';
  });
  afterAll(() => api?.close());

  async function create(type: string, input: Data): Promise<void> {
    const result = await api.ask(
      `mutation ($input: Create${type}Input!) {
         create${type}(input: $input) { __typename ... on UserError { message } } }`,
      { input },
    );
    expect(result).toEqual({ [`create${type}`]: { __typename: `${type}Saved` } });
  }

  const fields = 'totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }';
  const lists: Record<string, (args: string) => Promise<Data>> = {
    'a list': async (args) =>
      (await api.ask(`{ billingSubscriptions(${args}) { ${fields} nodes { name } } }`))
        .billingSubscriptions,
    'a list of devices': async (args) =>
      (
        await api.ask(
          `{ deviceRepository(deviceRepository: "devices") { devices(${args}) { ${fields} nodes { name } } } }`,
        )
      ).deviceRepository.devices,
  };
  const listOf = (name: string) => lists[name] as (args: string) => Promise<Data>;
  const namesOf = ({ nodes }: Data): string[] => nodes.map(({ name }: Data) => name);

  describe.each(Object.keys(lists))('%s', (which) => {
    const page = (args: string) => listOf(which)(args);

    test('by name has the order that people expect, in both directions', async () => {
      const by = (direction: string) =>
        page(`orderBy: { field: NAME, direction: ${direction} }`).then(namesOf);
      expect(await by('ASC')).toEqual(inOrder);
      expect(await by('DESC')).toEqual([...inOrder].reverse());
    });

    test('by name is paged forwards and backwards, and knows what lies beyond', async () => {
      for (const direction of ['ASC', 'DESC']) {
        const all = direction === 'ASC' ? inOrder : [...inOrder].reverse();
        const order = `orderBy: { field: NAME, direction: ${direction} }`;
        let seen: string[] = [];
        for (let after = ''; seen.length < all.length; ) {
          const { pageInfo, ...rest } = await page(`${order}, first: 4 ${after}`);
          expect(pageInfo.hasPreviousPage).toBe(seen.length > 0);
          seen = [...seen, ...namesOf(rest)];
          expect(pageInfo.hasNextPage).toBe(seen.length < all.length);
          after = `, after: "${pageInfo.endCursor}"`;
        }
        expect(seen).toEqual(all);
        seen = [];
        for (let before = ''; seen.length < all.length; ) {
          const { pageInfo, ...rest } = await page(`${order}, last: 5 ${before}`);
          expect(pageInfo.hasNextPage).toBe(seen.length > 0);
          seen = [...namesOf(rest), ...seen];
          expect(pageInfo.hasPreviousPage).toBe(seen.length < all.length);
          before = `, before: "${pageInfo.startCursor}"`;
        }
        expect(seen).toEqual(all);
      }
    });

    test('between two cursors knows what lies beyond either', async () => {
      const order = 'orderBy: { field: NAME, direction: ASC }';
      const { pageInfo: first } = await page(`${order}, first: 1`);
      const { pageInfo: last } = await page(`${order}, last: 1`);
      const both = `after: "${first.endCursor}", before: "${last.startCursor}"`;
      const beyond = { hasNextPage: true, hasPreviousPage: true };
      for (const size of ['first: 3', 'last: 3', 'first: 100', 'last: 100'])
        expect((await page(`${order}, ${size}, ${both}`)).pageInfo, size).toMatchObject(beyond);
      expect((await page(`${order}, first: 100, before: "${last.startCursor}"`)).pageInfo)
        // Nothing is before the first page, and the last row is behind it.
        .toMatchObject({ hasNextPage: true, hasPreviousPage: false });
      expect(
        (await page(`${order}, last: 100, after: "${first.endCursor}"`)).pageInfo,
      ).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
      const none = `after: "${last.endCursor}", before: "${first.startCursor}"`;
      expect(await page(`${order}, ${none}`)).toMatchObject({ nodes: [], pageInfo: beyond });
    });

    test('is filtered by text without regard to case, accents and width', async () => {
      const found = async (text: string) =>
        namesOf(
          await page(`filter: { text: "${text}" }, orderBy: { field: NAME, direction: ASC }`),
        );
      for (const text of ['izmir', 'İZMİR', 'IZMIR', 'ızmır'])
        expect(await found(text), text).toEqual(['izmir', 'İzmir']);
      for (const text of ['strasse', 'STRASSE', 'straße', 'ｓｔｒａ'])
        expect(await found(text), text).toEqual(['Strasse', 'Straße']);
      expect(await found('ÄPF')).toEqual(['Äpfel']);
      expect(await found('apf')).toEqual(['Äpfel']);
      expect(await found('ECL')).toEqual(['éclair', 'eclipse']);
      expect(await found('ωμ')).toEqual([]);
      expect(await found('ωME')).toEqual(['Ωmega']);
      for (const text of ['%', '_', '％', '\\\\', 'zz'])
        expect(await found(text), text).toEqual([]);
    });
  });

  test('what lies beyond a page is looked up only where it is asked for, and not for each row', async () => {
    const { pageInfo } = await listOf('a list')('first: 2, orderBy: { field: NAME }');
    const asked = (selection: string) =>
      api.statements(() =>
        api.ask(`{ billingSubscriptions(orderBy: { field: NAME }, first: 2,
          after: "${pageInfo.endCursor}") { nodes { name } ${selection} } }`),
      );
    expect(await asked('')).toHaveLength(1);
    expect(await asked('pageInfo { endCursor hasNextPage }')).toHaveLength(1);
    expect(await asked('pageInfo { hasNextPage hasPreviousPage }')).toHaveLength(2);
  });

  test('what was beyond a page and is deleted is not there any more', async () => {
    for (const key of ['gone-a', 'gone-b', 'gone-c']) await create('BillingSubscription', { key });
    const page = (args: string) => listOf('a list')(`filter: { text: "gone-" }, ${args}`);
    const { pageInfo: first } = await page('first: 1');
    const { pageInfo: last } = await page('last: 1');
    for (const billingSubscription of ['gone-a', 'gone-c'])
      await api.ask(
        `mutation ($input: DeleteBillingSubscriptionInput!) {
           deleteBillingSubscription(input: $input) { __typename } }`,
        { input: { billingSubscription } },
      );
    const alone = { hasNextPage: false, hasPreviousPage: false };
    expect((await page(`after: "${first.endCursor}"`)).pageInfo).toMatchObject(alone);
    expect((await page(`last: 1, before: "${last.startCursor}"`)).pageInfo).toMatchObject(alone);
  });

  test('a list within a list knows what lies beyond, in the statement of the list', async () => {
    await create('Solution', { key: 'many' });
    const [solution] = await api.store.database.query<{ id: string }>(
      `insert into solution_versions (id, organization_id, solution_id, version, ordinal, definition)
       select gen_random_uuid(), organization_id, id, n::text, n, '{}'
         from solutions, generate_series(1, 5) n where key = 'many' returning solution_id as id`,
    );
    expect(solution).toBeDefined();
    const versions = (args: string) =>
      `solutions(filter: { key: ["many"] }) { nodes {
         versions(orderBy: { field: PUBLISHED_AT, direction: ASC }, ${args}) {
           ${fields} nodes { version } } } }`;
    const read = async (args: string) =>
      (await api.ask(`{ ${versions(args)} }`)).solutions.nodes[0].versions;
    const second = (await read('first: 2')).pageInfo.endCursor;
    const fourth = (await read('last: 2')).pageInfo.startCursor;
    let middle: Data = {};
    const statements = await api.statements(async () => {
      middle = await read(`first: 5, after: "${second}", before: "${fourth}"`);
    });
    expect(statements).toHaveLength(1);
    expect(middle).toMatchObject({
      nodes: [{ version: '3' }],
      pageInfo: { hasNextPage: true, hasPreviousPage: true },
    });
    const { one, two } = (
      await api.ask(`{ solutions(filter: { key: ["many"] }) { nodes {
        one: versions(orderBy: { field: PUBLISHED_AT, direction: ASC }, last: 9, before: "${second}") { ${fields} }
        two: versions(orderBy: { field: PUBLISHED_AT, direction: ASC }, first: 1, after: "${fourth}") { ${fields} }
      } } }`)
    ).solutions.nodes[0];
    expect(one.pageInfo).toMatchObject({ hasNextPage: true, hasPreviousPage: false });
    expect(two.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
  });

  test('keys are ordered by code point, fields of a device by their names', async () => {
    for (const key of ['a-b', 'ab', 'a-c', 'a1'])
      await create('ContainerRepository', { key, image: 'i' });
    const { containerRepositories, deviceRepository } = await api.ask(
      `{ containerRepositories { nodes { key } }
         deviceRepository(deviceRepository: "devices") { devices(first: 1) { nodes { values { field } } } } }`,
    );
    const keys = containerRepositories.nodes.map(({ key }: Data) => key);
    expect(keys).toEqual(['a-b', 'a-c', 'a1', 'ab']);
    const values = deviceRepository.devices.nodes[0].values.map(({ field }: Data) => field);
    expect(values).toEqual(['a9', 'a10', 'b', 'B']);
    expect(repositoryId).not.toBe('');
  });

  test('a name, a comment or a value of a label has a character that can be seen', async () => {
    const blank = [
      '\u200b',
      '\u00ad',
      '\u3164',
      '\u{e0041}\u{e007f}',
      '\ufe0f',
      '\u{e0100}',
      '\u2800',
    ];
    blank.push(' \u00a0\u2003', '\u115f\u1160\uffa0', '\u034f\u180b\u2060\ufeff', '\u{1d173}');
    const paths = async (field: string, input: Data) => {
      const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
      const result = await api.ask(
        `mutation ($input: ${type}!) { ${field}(input: $input) {
           __typename ... on InvalidInput { issues { path } } } }`,
        { input },
      );
      return result[field].issues?.map(({ path }: Data) => path) ?? result[field].__typename;
    };
    for (const text of blank) {
      const all = { name: text, description: text, reason: text };
      const found = await paths('createHost', {
        key: 'some-host',
        ...all,
        labels: [{ name: 'a', value: text }],
      });
      expect([...found].sort(), JSON.stringify(text)).toEqual([
        'description',
        'labels.0.value',
        'name',
        'reason',
      ]);
      expect(
        await paths('updateBillingSubscription', { billingSubscription: 'k-1', name: text }),
      ).toEqual(['name']);
      expect(await paths('deployHost', { host: 'some-host', reason: text })).toEqual(['reason']);
    }
    const seen = {
      name: 'a\u200bb',
      description: '🌱\ufe0f',
      reason: '👩‍🌾',
      labels: [{ name: 'a', value: '' }],
    };
    expect(await paths('createHost', { key: 'some-host', ...seen })).toBe('HostSaved');
  });
});
