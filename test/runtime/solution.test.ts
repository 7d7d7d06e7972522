/** What a solution document and an instance's settings must be: by the server and by the runtime. */
import vm from 'node:vm';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { checkSettings, checkSolution } from '../../src/lifecycle/solution.ts';
import { loadSolution } from '../../src/runtime/solution.ts';

const open = { protocol: 'http', auth: 'NONE' };
const text = { type: 'STRING' };
const secret = { type: 'STRING', secret: true };
const echo = { kind: 'ECHO' };

function load(definition: unknown, settings: Record<string, unknown> = {}) {
  const source = { key: 'k', version: '1', definition, settings, secretSettings: [] };
  const loaded = loadSolution({ ...source, runtimeVersion: '0.1.0' });
  return 'faults' in loaded ? loaded.faults : [];
}

const faulty: [string, unknown, string[]][] = [
  ['no document', null, ['']],
  ['a list', [], ['']],
  ['an unknown part', { listener: {} }, ['listener']],
  [
    'three faults in three places',
    {
      listeners: { http: { ...open, port: 70_000, prot: 1 } },
      messages: { climate: { fields: { temperature: { type: 'FLOAT' } } } },
    },
    ['listeners.http.prot', 'listeners.http.port', 'messages.climate.fields.temperature.type'],
  ],
  ['a listener without protocol', { listeners: { http: {} } }, ['listeners.http.protocol']],
  [
    'parts of another protocol',
    {
      listeners: {
        a: { protocol: 'mqtt', auth: 'NONE', path: '/a', allowedOrigins: [] },
        b: { ...open, topic: 'a' },
      },
    },
    ['listeners.a.allowedOrigins', 'listeners.a.path', 'listeners.b.topic'],
  ],
  ...['a//b', '#', 'a/+', 'a/', '$SYS/a', 'x{device}', '{device}/{device}', '{other}', ''].map(
    (topic): [string, unknown, string[]] => [
      `the topic ${topic}`,
      { listeners: { a: { protocol: 'mqtt', auth: 'NONE', topic } } },
      ['listeners.a.topic'],
    ],
  ),
  ['an impossible name', { listeners: { 'a.b': open } }, ['listeners.a.b']],
  ['a taken name', { listeners: { 'input-commands': open } }, ['listeners.input-commands']],
  [
    'a taken field',
    { listeners: { a: open }, messages: { m: { fields: { device: text } } } },
    ['messages.m.fields.device'],
  ],
  [
    'a key with auth NONE',
    { settings: { k: secret }, listeners: { a: { ...open, keySetting: 'k' } } },
    ['listeners.a.keySetting'],
  ],
  ['an undeclared key', { listeners: { a: { protocol: 'http' } } }, ['listeners.a.keySetting']],
  [
    'a key that is no secret',
    { settings: { listenerKey: text }, inputCommands: { c: { answer: echo } } },
    ['inputCommands.c.keySetting'],
  ],
  [
    'a secret with a default',
    { settings: { s: { ...secret, default: 'x' } } },
    ['settings.s.default'],
  ],
  [
    'a default of another type',
    { settings: { s: { ...text, default: 1 } } },
    ['settings.s.default'],
  ],
  [
    'limits of another type',
    { settings: { s: { ...text, maximum: 1 }, n: { type: 'NUMBER', pattern: 'x' } } },
    ['settings.s.maximum', 'settings.n.pattern'],
  ],
  ['no regular expression', { settings: { s: { ...text, pattern: '(' } } }, ['settings.s.pattern']],
  [
    'a pattern of other flags',
    { settings: { s: { ...text, pattern: '\\-' } } },
    ['settings.s.pattern'],
  ],
  [
    'a pattern on long text',
    { settings: { s: { ...text, pattern: 'x', maxLength: 257 } } },
    ['settings.s.maxLength'],
  ],
  [
    'an unknown listener',
    { listeners: { a: open }, messages: { m: { listener: 'toString', fields: { f: text } } } },
    ['messages.m.listener'],
  ],
  [
    'a message that nobody takes',
    { messages: { m: { fields: { f: text } } } },
    ['messages.m.listener'],
  ],
  [
    'answers without what they need',
    {
      inputCommands: {
        a: { auth: 'NONE', answer: { kind: 'DEVICE_VALUES' } },
        b: { auth: 'NONE', answer: { kind: 'STATUS', setting: 's' } },
      },
    },
    ['inputCommands.a.answer.parameter', 'inputCommands.b.answer.setting'],
  ],
  [
    'answers that name nothing or a secret',
    {
      settings: { s: secret },
      inputCommands: {
        a: { auth: 'NONE', answer: { kind: 'DEVICE_VALUES', parameter: 'constructor' } },
        b: { auth: 'NONE', answer: { kind: 'SETTING', setting: 's' } },
      },
    },
    ['inputCommands.a.answer.parameter', 'inputCommands.b.answer.setting'],
  ],
  ['no version', { runtime: { minimumVersion: 'new' } }, ['runtime.minimumVersion']],
];

describe('a faulty document', () => {
  test.each(faulty)('%s', (_, definition, paths) => {
    const faults = checkSolution(definition);
    expect(faults.map(({ path }) => path).sort()).toEqual([...paths].sort());
    for (const { message } of faults) expect(message.length).toBeGreaterThan(5);
    // The runtime finds the same; it is given no settings, which is a fault of its own there.
    const found = load(definition).map(({ path }) => path);
    for (const path of paths) expect(found).toContain(path);
  });

  test('one fixed port twice, or limits that nothing fits', () => {
    const listeners = { a: { ...open, port: 8080 }, b: { ...open, port: 8080 } };
    const limits = { type: 'NUMBER', minimum: 2, maximum: 1 };
    const faults = checkSolution({ listeners, settings: { n: limits } });
    expect(faults.map(({ path }) => path)).toEqual(['settings.n.minimum', 'listeners.b.port']);
  });
});

test('the sample is a solution, and the least is', () => {
  for (const definition of [greenhouse, {}]) {
    expect(checkSolution(definition)).toEqual([]);
    expect(load(definition)).toEqual([]);
  }
});

describe('settings', () => {
  const definition = {
    settings: {
      key: secret,
      rate: { type: 'INTEGER', minimum: 1, maximum: 10, default: 5 },
      ratio: { type: 'NUMBER', required: false },
      name: { type: 'STRING', pattern: '^[a-z]+$', default: 'a' },
      slow: { type: 'STRING', pattern: '^(a+)+$', required: false },
    },
    listeners: { http: { protocol: 'http', keySetting: 'key' } },
  };
  const cases: [string, unknown, string[]][] = [
    ['the least', { key: 'k' }, []],
    ['all', { key: 'k', rate: 1, ratio: 0.5, name: 'b', slow: 'aa' }, []],
    ['none', {}, ['key']],
    ['null', null, ['key']],
    ['a list', [], ['']],
    ['three faults', { rate: 11, name: 'B', other: 1 }, ['other', 'key', 'rate', 'name']],
    [
      'other types',
      { key: 1, rate: 1.5, ratio: '1', name: null },
      ['key', 'rate', 'ratio', 'name'],
    ],
    ['a key that no header carries', { key: 'k k' }, ['key']],
    ['an endless match', { key: 'k', slow: `${'a'.repeat(60)}b` }, ['slow']],
    ['names of every object', { key: 'k', toString: 1 }, ['toString']],
  ];
  test.each(cases)('%s', (_, settings, paths) => {
    const faults = checkSettings(definition, settings);
    expect(faults.map(({ path }) => path)).toEqual(paths);
    if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) return;
    const found = load(definition, settings as Record<string, unknown>);
    expect(found.map(({ path }) => path).sort()).toEqual(
      paths.map((path) => `settings.${path}`).sort(),
    );
  });

  test('a match that is interrupted before it has had processor time is tried again', () => {
    const interrupted = Object.assign(new Error('timed out'), {
      code: 'ERR_SCRIPT_EXECUTION_TIMEOUT',
    });
    const run = vi.spyOn(vm.Script.prototype, 'runInContext');
    onTestFinished(() => run.mockRestore());
    for (const check of [load, checkSettings]) {
      run.mockClear().mockImplementationOnce(() => {
        throw interrupted;
      });
      expect(check(definition, { key: 'k', name: 'b' })).toEqual([]);
      expect(run.mock.calls.length, check.name).toBeGreaterThan(1);
    }
  });

  test('a message repeats no value', () => {
    const faults = checkSettings(definition, { key: 'my secret', name: 'MY-SECRET' });
    expect(JSON.stringify(faults).toLowerCase()).not.toMatch(/my.secret/);
  });
});
