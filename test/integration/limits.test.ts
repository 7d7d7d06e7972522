/** The greatest that is legal goes the whole way: to the runtime, and from devices to the API. */
import { expect, onTestFinished, test } from 'vitest';
import { addInstance, endpointsOf, send } from './builders.ts';
import { createClient } from './client.ts';
import { startServer } from './server.ts';

/** Six bytes in JSON, in both directions. */
const widest = '\u0001';
const most = { settings: 100, characters: 10_000, bodyBytes: 65_536 };

/** A definition that fills a request of this size: fields with the longest descriptions. */
function largestDefinition(bytes: number): object {
  const text = { type: 'STRING', maxLength: most.characters, required: false };
  const settings = Object.fromEntries(
    Array.from({ length: most.settings }, (_, n) => [`setting${n}`, text]),
  );
  const fields: Record<string, object> = { first: text, second: text };
  const messages: Record<string, { fields: Record<string, object> }> = { note: { fields } };
  const definition = {
    settings,
    listeners: { http: { protocol: 'http', auth: 'NONE' } },
    messages,
    inputCommands: {
      values: {
        auth: 'NONE',
        parameters: { device: { type: 'STRING' } },
        answer: { kind: 'DEVICE_VALUES', parameter: 'device' },
      },
      setting: { auth: 'NONE', answer: { kind: 'SETTING', setting: 'setting99' } },
    },
  };
  const filler = { ...text, description: 'ä'.repeat(500) };
  const size = () => Buffer.byteLength(JSON.stringify(definition));
  const fillerBytes = Buffer.byteLength(JSON.stringify(filler)) + 20;
  for (let left = bytes - size(), n = 0; left > fillerBytes; left -= fillerBytes, n += 1) {
    const type = `type${Math.floor(n / 100)}`;
    messages[type] ??= { fields: {} };
    messages[type].fields[`field${n % 100}`] = filler;
  }
  return definition;
}

test('a definition and settings as large as can be, and the longest values of a device', {
  timeout: 300_000,
}, async () => {
  const server = await startServer();
  onTestFinished(() => server.dispose());
  const client = createClient(server);
  const { server: facts } = await client.read<{ server: { limits: { payloadBytes: number } } }>(
    '{ server { limits { payloadBytes } } }',
  );
  const { payloadBytes } = facts.limits;
  const definition = largestDefinition(payloadBytes - 1_500);
  expect(Buffer.byteLength(JSON.stringify(definition))).toBeGreaterThan(payloadBytes * 0.98);
  expect(await client.mutate('createSolution', { key: 'large', definition })).toMatchObject({
    __typename: 'SolutionSaved',
  });
  expect(await client.mutate('publishSolutionVersion', { solution: 'large' })).toMatchObject({
    __typename: 'SolutionVersionPublished',
  });
  await addInstance(client, 'largest', { solution: 'large' });
  const value = widest.repeat(most.characters);
  for (let n = 0; n < most.settings; n += 10) {
    const settings = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [`setting${n + index}`, value]),
    );
    expect(await client.mutate('updateInstance', { instance: 'largest', settings })).toMatchObject({
      __typename: 'InstanceSaved',
    });
  }
  await client.accept('deployInstance', 'largest');
  await client.until('largest', 'RUNNING');
  const { messages, commands } = await endpointsOf(client, 'largest');
  if (!messages || !commands) throw new Error('it does not listen');
  const setting = await send(`${commands}setting`);
  expect(setting.body.value).toBe(value);

  // Of one message the body, of one value the characters are the limit.
  const body = { device: 'd'.repeat(128), type: 'note', first: value, second: 'x'.repeat(5_300) };
  const bytes = Buffer.byteLength(JSON.stringify(body));
  expect(bytes).toBeLessThanOrEqual(most.bodyBytes);
  expect(bytes).toBeGreaterThan(most.bodyBytes - 200);
  for (let n = 0; n < 40; n += 1) {
    const device = `${n}`.padEnd(128, 'd');
    expect(await send(messages, { ...body, device })).toMatchObject({ status: 202 });
  }
  await client.accept('pauseInstance', 'largest');
  await client.until('largest', 'PAUSED');
  const { deviceRepositories } = await client.read<{
    deviceRepositories: { nodes: { devices: { totalCount: number } }[] };
  }>(
    '{ deviceRepositories(filter: { key: ["largest-devices"] }) { nodes { devices { totalCount } } } }',
  );
  expect(deviceRepositories.nodes[0]?.devices.totalCount).toBe(40);
  const read = await send(`${commands}values?device=${'0'.padEnd(128, 'd')}`);
  expect(read.body).toMatchObject({ values: { first: { value } } });
  await client.accept('stopInstance', 'largest');
  await client.until('largest', 'STOPPED');
  expect(server.output()).not.toContain('1009');
});
