/** The examples and the `curl` that the console shows for the endpoints of an instance. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { callsOf } from '../../src/console/instance/curl.ts';
import type { Definition, Endpoint } from '../../src/console/instance/definition.ts';
import { exampleValue } from '../../src/console/instance/example-value.ts';

describe('an example value', () => {
  test.each([
    ['^bed-[0-9]+$', 'bed-1'],
    ['^(north|south)-\\d{3}$', 'north-111'],
    ['^[A-F0-9]{2}(:[A-F0-9]{2}){5}$', '11:11:11:11:11:11'],
    ['^(?:v)?\\d+\\.\\d+\\.\\d+(-rc\\d)?$', 'v1.1.1-rc1'],
    ['^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$', '1@1.aa'],
    ['^\\[\\w*\\]\\/?$', '[a]/'],
    ['^\\p{Lu}', null],
    ['^(?=.*\\d).{8}$', null],
    ['^(?!text)', null],
  ])('matches %s', (pattern, expected) => {
    const value = exampleValue({ type: 'STRING', pattern });
    expect(value).toBe(expected);
    if (typeof value === 'string') expect(value).toMatch(new RegExp(pattern, 'u'));
  });

  test('is the preferred one where the pattern takes it', () => {
    expect(exampleValue({ type: 'STRING', pattern: '^[a-z]+-\\d$' }, 'device-1')).toBe('device-1');
    expect(exampleValue({ type: 'STRING', maxLength: 3 }, 'device-1')).toBe('dev');
    expect(exampleValue({ type: 'STRING', pattern: '^a{9}$', maxLength: 3 })).toBeNull();
  });

  test.each([
    [{ minimum: -40, maximum: 85 }, 22.5, 22],
    [{ minimum: 0.001, maximum: 0.002 }, 0.0015, null],
    [{ minimum: 7 }, 7, 7],
    [{ maximum: -3 }, -3, -3],
    [{}, 1, 1],
  ])('is within %j', (bounds, number, integer) => {
    expect(exampleValue({ type: 'NUMBER', ...bounds })).toBe(number);
    expect(exampleValue({ type: 'INTEGER', ...bounds })).toBe(integer);
  });
});

const definition: Definition = {
  listeners: { plain: { auth: 'NONE' }, locked: {} },
  messages: {
    climate: { listener: 'plain', fields: { temperature: { type: 'NUMBER' } } },
    note: {
      listener: 'locked',
      fields: { text: { type: 'STRING', pattern: "^it's \\d$" }, more: { type: 'BOOLEAN' } },
    },
    code: {
      listener: 'locked',
      fields: { code: { type: 'STRING', pattern: '^(?=x)' } },
    },
  },
  inputCommands: {
    find: {
      auth: 'NONE',
      parameters: { name: { type: 'STRING', pattern: '^[a-z] & [a-z]$' } },
    },
  },
};
const endpoint = (kind: Endpoint['kind'], name: string): Endpoint => ({
  ...{ kind, name, protocol: 'http', address: '127.0.0.1', port: 9000, dnsName: null },
  url: 'http://127.0.0.1:9000/',
});

/** The arguments that a shell passes on. */
const argumentsOf = (command: string): string[] =>
  execFileSync('sh', ['-c', command.replace(/^(curl|mosquitto_pub)/, "printf '%s\\n'")], {
    encoding: 'utf8',
    env: { API_KEY: 'secret' },
  })
    .trimEnd()
    .split('\n');

describe('a curl', () => {
  test('sends what the listener takes; the type where there are several', () => {
    const [climate] = callsOf(endpoint('MESSAGES', 'plain'), definition);
    expect(argumentsOf(climate?.command ?? '')).toEqual([
      ...['-i', 'http://127.0.0.1:9000/', '-H', 'Content-Type: application/json'],
      ...['-d', '{"device":"device-1","temperature":1}'],
    ]);
    const [note, code] = callsOf(endpoint('MESSAGES', 'locked'), definition);
    expect(argumentsOf(note?.command ?? '')).toEqual([
      ...['-i', 'http://127.0.0.1:9000/', '-H', 'X-Api-Key: secret'],
      ...['-H', 'Content-Type: application/json'],
      ...['-d', `{"device":"device-1","type":"note","text":"it's 1","more":true}`],
    ]);
    expect(note?.keySetting).toBe('listenerKey');
    expect(code?.toReplace).toEqual(['code']);
  });

  test('puts the parameters of a GET into the address', () => {
    const [find] = callsOf(endpoint('INPUT_COMMANDS', 'input-commands'), definition);
    expect(argumentsOf(find?.command ?? '')).toEqual([
      '-i',
      'http://127.0.0.1:9000/find?name=a+%26+a',
    ]);
  });

  test('is a mosquitto_pub where the listener speaks MQTT', () => {
    const topics = (topic?: string): Definition => ({
      listeners: { mqtt: topic === undefined ? {} : { topic, auth: 'NONE' } },
      messages: { climate: { fields: { temperature: { type: 'NUMBER' } } }, other: {} },
    });
    const at: Endpoint = { ...endpoint('MESSAGES', 'mqtt'), protocol: 'mqtt', port: 1883 };
    const [first] = callsOf(at, topics());
    expect(first?.program).toBe('mosquitto_pub');
    expect(argumentsOf(first?.command ?? '')).toEqual([
      ...['-V', 'mqttv5', '-q', '1', '-h', '127.0.0.1', '-p', '1883', '-u', 'device', '-P'],
      ...['secret', '-t', 'devices/device-1/climate', '-m', '{"temperature":1}'],
    ]);
    const [second] = callsOf(at, topics('in/{device}'));
    expect(argumentsOf(second?.command ?? '').slice(8)).toEqual([
      ...['-t', 'in/device-1', '-m', '{"type":"climate","temperature":1}'],
    ]);
  });
});
