/** Commands for a terminal that send to the endpoints of an instance, as its solution declares them. */

import type { Definition, Endpoint, Field } from './definition.ts';
import { exampleValue } from './example-value.ts';

export interface Call {
  /** Of the message or of the input command. */
  readonly name: string;
  readonly description: string | null;
  readonly program: 'curl' | 'mosquitto_pub';
  readonly command: string;
  /** The setting that holds the key to put into `API_KEY`; null: no key is needed. */
  readonly keySetting: string | null;
  /** Fields without an example: the placeholder has to be replaced. */
  readonly toReplace: readonly string[];
}

const exampleDevice = 'device-1';
/** As in the schema of solutions. */
const defaultTopic = 'devices/{device}/{type}';

/** The calls that an endpoint takes; none where the definition does not name it. */
export function callsOf(endpoint: Endpoint, definition: Definition): readonly Call[] {
  return endpoint.kind === 'MESSAGES'
    ? messageCalls(endpoint, definition)
    : commandCalls(endpoint, definition);
}

function messageCalls(endpoint: Endpoint, definition: Definition): readonly Call[] {
  const { name: listener, url } = endpoint;
  const declared = definition.listeners?.[listener];
  if (!declared) return [];
  const types = Object.entries(definition.messages ?? {}).filter(
    ([, message]) => (message.listener ?? listener) === listener,
  );
  return types.map(([name, { fields = {} }]) => {
    const { values, toReplace } = examples(fields);
    const device = deviceOf(definition);
    const type = types.length > 1 ? { type: name } : {};
    const key = keyOf(declared);
    const common = { name, description: declared.description ?? null, keySetting: key, toReplace };
    if (endpoint.protocol === 'mqtt') {
      const { topic: pattern = defaultTopic } = declared;
      const body = {
        ...(pattern.includes('{device}') ? {} : { device }),
        ...(pattern.includes('{type}') ? {} : type),
        ...values,
      };
      const topic = pattern.replace('{device}', () => device).replace('{type}', name);
      const command = publishOf(endpoint, { topic, body, key });
      return { ...common, program: 'mosquitto_pub', command };
    }
    const command = curlOf({ method: 'POST', url, body: { device, ...type, ...values }, key });
    return { ...common, program: 'curl', command };
  });
}

function commandCalls({ url }: Endpoint, definition: Definition): readonly Call[] {
  return Object.entries(definition.inputCommands ?? {}).map(([name, declared]) => {
    const { method = 'GET', parameters = {}, description = null } = declared;
    const { values, toReplace } = examples(parameters, deviceOf(definition));
    const key = keyOf(declared);
    const query = new URLSearchParams(
      Object.entries(values).map(([parameter, value]) => [parameter, String(value)]),
    );
    const hasQuery = method === 'GET' && query.size > 0;
    const address = `${url}${name}${hasQuery ? `?${query}` : ''}`;
    const body = method === 'POST' ? values : null;
    return {
      name: `${method} /${name}`,
      description,
      program: 'curl',
      command: curlOf({ method, url: address, body, key }),
      keySetting: key,
      toReplace,
    };
  });
}

/** One name in all examples, so that what is sent can be asked for: the one that parameters accept. */
function deviceOf({ inputCommands = {} }: Definition): string {
  for (const { parameters = {}, ...rest } of Object.values(inputCommands)) {
    const { answer } = rest as { answer?: { kind: string; parameter?: string } };
    const field = answer?.kind === 'DEVICE_VALUES' && parameters[answer.parameter ?? ''];
    const value = field && exampleValue(field, exampleDevice);
    if (typeof value === 'string' && value !== '') return value;
  }
  return exampleDevice;
}

function keyOf({
  auth = 'KEY',
  keySetting = 'listenerKey',
}: {
  auth?: string;
  keySetting?: string;
}) {
  return auth === 'KEY' ? keySetting : null;
}

function examples(fields: Readonly<Record<string, Field>>, preferred?: string) {
  const values: Record<string, string | number | boolean> = {};
  const toReplace: string[] = [];
  for (const [name, field] of Object.entries(fields)) {
    const value = exampleValue(field, preferred);
    if (value !== null) values[name] = value;
    else if (field.required !== false) {
      values[name] = 'REPLACE';
      toReplace.push(name);
    }
  }
  return { values, toReplace };
}

function curlOf(call: {
  method: string;
  url: string;
  body: object | null;
  key: string | null;
}): string {
  const { method, url, body, key } = call;
  const parts = [`curl -i ${quoted(url)}`];
  if (key) parts.push('-H "X-Api-Key: $API_KEY"');
  if (method === 'POST') {
    parts.push("-H 'Content-Type: application/json'");
    parts.push(`-d ${quoted(JSON.stringify(body ?? {}))}`);
  }
  return parts.join(' \\\n  ');
}

/** MQTT 5, so that a refusal is told; and with a name, without which some versions send no password. */
function publishOf(
  { address, port }: Endpoint,
  { topic, body, key }: { topic: string; body: object; key: string | null },
): string {
  const parts = [`mosquitto_pub -V mqttv5 -q 1 -h ${address} -p ${port}`];
  if (key) parts.push('-u device -P "$API_KEY"');
  parts.push(`-t ${quoted(topic)}`, `-m ${quoted(JSON.stringify(body))}`);
  return parts.join(' \\\n  ');
}

/** For a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
