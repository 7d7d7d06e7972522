/** Secret settings: what was stored as a secret is never shown, until it is set anew. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { type Api, type Data, openApi } from './api.ts';
import { openFleet } from './fleet.ts';

const secret = { type: 'STRING', secret: true, required: false };
const open = { type: 'STRING', required: false };
const declaring = (settings: object) => ({
  ...greenhouse,
  settings,
  inputCommands: { status: { auth: 'NONE', answer: { kind: 'STATUS' } } },
});

describe.each(['PGLITE', 'POSTGRES'] as const)('secret settings on %s', (kind) => {
  let api: Api;
  /** Of the solution and the instance of the test. */
  let key: string;
  let count = 0;
  beforeAll(async () => {
    api = await openApi(kind);
    await save('createBillingSubscription', { key: 'trial' });
  });
  afterAll(() => api?.close());
  beforeEach(() => {
    count += 1;
    key = `instance-${count}`;
  });

  /** Runs a mutation that must not be refused. */
  async function save(field: string, input: Data): Promise<void> {
    const name = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const { [field]: result } = await api.ask(
      `mutation ($input: ${name}!) { ${field}(input: $input) {
         __typename ... on UserError { message } ... on InvalidInput { issues { path message } } } }`,
      { input },
    );
    expect(JSON.stringify(result)).not.toContain('message');
  }

  const publish = (solution: string, settings: object) =>
    save('publishSolutionVersion', { solution, definition: declaring(settings) });

  /** A solution that declares these settings. */
  async function solution(name: string, settings: object): Promise<void> {
    await save('createSolution', { key: name });
    await publish(name, settings);
  }

  /** An instance of the solution of its key. */
  async function instance(more: Data): Promise<void> {
    await save('createDeviceRepository', { key, storage: 'LOCAL' });
    await save('createInstance', {
      ...{ key, solution: key, subscription: 'trial', deviceRepository: key },
      ...{ configuration: { app: {} }, ...more },
    });
  }

  const update = (input: Data) => save('updateInstance', { instance: key, ...input });

  /** The settings as every field that leads to the instance shows them. */
  async function shown(): Promise<unknown> {
    const { one, list, of } = await api.ask(
      `query ($key: ID!, $text: String!) {
         one: instance(instance: $key) { settings }
         list: instances(filter: { text: $text }) { nodes { key settings } }
         of: instances(filter: { text: $text, archived: true }) { nodes { key settings } } }`,
      { key, text: key },
    );
    const found = [...list.nodes, ...of.nodes].find((node) => node.key === key);
    if (one) expect(one.settings).toEqual(found.settings);
    return found.settings;
  }

  test('another solution that declares the name without secret does not show it', async () => {
    await solution(key, { token: secret, note: open });
    await solution(`${key}-open`, { token: open, note: open });
    await instance({ settings: { token: 'hush', note: 'hello' } });
    expect(await shown()).toEqual({ token: null, note: 'hello' });

    await update({ solution: `${key}-open` });
    expect(await shown()).toEqual({ token: null, note: 'hello' });
    await update({ settings: { note: 'changed' } });
    expect(await shown()).toEqual({ token: null, note: 'changed' });
    await update({ solution: key });
    await update({ solution: `${key}-open` });
    expect(await shown()).toEqual({ token: null, note: 'changed' });

    await update({ settings: { token: 'set anew' } });
    expect(await shown()).toEqual({ token: 'set anew', note: 'changed' });
    await update({ settings: { token: null } });
    expect(await shown()).toEqual({ note: 'changed' });
    await update({ settings: { token: 'again' } });
    expect(await shown()).toEqual({ token: 'again', note: 'changed' });
  });

  test('set anew in the same update it is what the new solution calls it', async () => {
    await solution(key, { token: secret });
    await solution(`${key}-open`, { token: open });
    await instance({ settings: { token: 'hush' } });
    await update({ solution: `${key}-open`, settings: { token: 'plain' } });
    expect(await shown()).toEqual({ token: 'plain' });
    await update({ solution: key });
    expect(await shown()).toEqual({ token: null });
    await update({ solution: `${key}-open` });
    expect(await shown(), 'it was a secret meanwhile').toEqual({ token: null });
  });

  test('another version that declares the name without secret does not show it', async () => {
    await solution(key, { token: secret });
    await instance({ solutionVersion: '1.0', settings: { token: 'hush' } });
    await publish(key, { token: open });
    expect(await shown()).toEqual({ token: null });
    await update({ solutionVersion: '1.1' });
    expect(await shown()).toEqual({ token: null });
    await update({ solutionVersion: null });
    expect(await shown()).toEqual({ token: null });
    await update({ settings: { token: 'set anew' } });
    expect(await shown(), 'the version that counts is 1.1').toEqual({ token: 'set anew' });
    await update({ solutionVersion: '1.0' });
    expect(await shown()).toEqual({ token: null });
  });

  test('an instance that follows the newest version', async () => {
    await solution(key, { token: open, note: open });
    await instance({ settings: { token: 'hush', note: 'hello' } });
    expect(await shown()).toEqual({ token: 'hush', note: 'hello' });
    await publish(key, { token: secret, note: open });
    expect(await shown()).toEqual({ token: null, note: 'hello' });
    await publish(key, { token: open, note: open });
    expect(await shown()).toEqual({ token: null, note: 'hello' });
    await publish(key, { note: open });
    expect(await shown()).toEqual({ token: null, note: 'hello' });
  });

  test('a draft counts, too, and after it was changed', async () => {
    const draft = (settings: object | null) =>
      save('updateSolution', { solution: key, definition: settings && declaring(settings) });
    await save('createSolution', { key });
    await draft({ token: secret });
    // Nothing is published, so nothing but the draft says what the settings are.
    await instance({ settings: { token: 'hush' } });
    expect(await shown()).toEqual({ token: null });
    await draft({ token: open });
    expect(await shown()).toEqual({ token: null });
    await draft(null);
    expect(await shown()).toEqual({ token: null });
    await update({ settings: { token: 'set anew' } });
    expect(await shown()).toEqual({ token: 'set anew' });
    await draft({ token: secret });
    expect(await shown()).toEqual({ token: null });
    await save('publishSolutionVersion', { solution: key });
    expect(await shown()).toEqual({ token: null });
  });

  test('a version that is published while settings are saved', async () => {
    const [solutions, first] = [key, key];
    await solution(solutions, { token: open });
    await instance({ settings: { token: 'hush' } });
    for (const round of [1, 2, 3, 4]) {
      await publish(solutions, { token: open });
      key = `${first}-${round}`;
      await save('createDeviceRepository', { key, storage: 'LOCAL' });
      await Promise.all([
        publish(solutions, { token: secret }),
        save('updateInstance', { instance: first, settings: { token: `hush ${round}` } }),
        save('createInstance', {
          ...{ key, solution: solutions, subscription: 'trial', deviceRepository: key },
          ...{ configuration: { app: {} }, settings: { token: 'hush' } },
        }),
      ]);
      for (key of [first, key]) expect(await shown()).toEqual({ token: null });
    }
  });

  test('names that JavaScript has are names', async () => {
    await solution(key, { constructor: open, toString: secret });
    await instance({ settings: { constructor: 'shown', toString: 'hush' } });
    expect(await shown()).toEqual({ constructor: 'shown', toString: null });
  });

  test('a deleted instance', async () => {
    await solution(key, { token: secret });
    await solution(`${key}-open`, { token: open });
    await instance({ settings: { token: 'hush' } });
    await update({ solution: `${key}-open` });
    await save('deleteInstance', { instance: key });
    expect(await shown()).toEqual({ token: null });
    await save('deleteSolution', { solution: key });
    expect(await shown()).toEqual({ token: null });
  });

  test('no table contains its value', async () => {
    const hush = `hush-${key}`;
    await solution(key, { token: { ...secret, pattern: '^hush' } });
    await instance({ settings: { token: hush }, idempotencyKey: key, reason: 'new' });
    await update({ settings: { token: `${hush}-2` }, idempotencyKey: key, reason: 'another' });
    const { updateInstance } = await api.ask(
      `mutation ($input: UpdateInstanceInput!) { updateInstance(input: $input) {
         __typename ... on UserError { message } ... on InvalidInput { issues { path message } } } }`,
      { input: { instance: key, settings: { token: `no ${hush}` }, idempotencyKey: `${key}-3` } },
    );
    expect(updateInstance).toMatchObject({ __typename: 'InvalidInput' });
    expect(JSON.stringify(updateInstance)).not.toContain(hush);

    const tables = await api.store.database.query<{ name: string }>(
      `select quote_ident(table_name) as name from information_schema.tables
        where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`,
    );
    const holders: string[] = [];
    for (const { name } of tables) {
      const rows = await api.store.database.query(
        `select 1 from ${name} t where t::text like '%' || $1 || '%' limit 1`,
        [hush],
      );
      if (rows.length > 0) holders.push(name);
    }
    expect(tables.length).toBeGreaterThan(15);
    expect(holders).toEqual([]);
  });
});

test('a runtime is told which settings are secrets', async () => {
  const fleet = await openFleet('PGLITE');
  try {
    const saved = await fleet.ask(
      `mutation ($secret: JSON!, $open: JSON!) {
         a: createSolution(input: { key: "guarded", definition: $secret }) { __typename }
         b: publishSolutionVersion(input: { solution: "guarded" }) { __typename }
         c: createSolution(input: { key: "telling", definition: $open }) { __typename }
         d: publishSolutionVersion(input: { solution: "telling" }) { __typename }
         e: createDeviceRepository(input: { key: "devices", storage: LOCAL }) { __typename }
         f: createInstance(input: { key: "guarded", solution: "guarded", subscription: "trial",
           deviceRepository: "devices", configuration: { app: {} }, settings: { token: "hush" } }) {
           __typename }
         g: updateInstance(input: { instance: "guarded", solution: "telling" }) { __typename } }`,
      { secret: declaring({ token: secret }), open: declaring({ token: open }) },
    );
    expect(JSON.stringify(saved)).not.toMatch(/InvalidInput|Conflict|NotFound/);
    fleet.runtime.outcome = () => null;
    await fleet.command('deployInstance', { instance: 'guarded' });
    await fleet.until('guarded', 'INITIALIZING');
    const [run] = await fleet.store.database.query<{ runId: string; instanceId: string }>(
      `select run_id as "runId", id as "instanceId" from instances where key = 'guarded'`,
    );
    if (!run) throw new Error('no run');
    const [event] = await fleet.take(
      await fleet.stream(
        'subscription { runtimeCommands { kind payload } }',
        {},
        {
          ...fleet.context(),
          viewer: {
            ...{ kind: 'RUN', accessKeyId: run.runId, name: 'run' },
            ...{ organizationId: fleet.organizationId, ...run },
          },
        },
      ),
      1,
    );
    expect(event?.runtimeCommands).toMatchObject({
      kind: 'LOAD_SOLUTION',
      payload: { settings: { token: 'hush' }, secretSettings: ['token'] },
    });
  } finally {
    await fleet.close();
  }
});
