/** Instances that really run, deployed through the API: an agent for the host, a runtime for each. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminToken, type ServerProcess } from './server.ts';

const giveUpMilliseconds = 900_000;

/** The sample data of the server: its instance, and the host that the others share. */
export const sampleInstance = 'greenhouse-1';
const sampleHost = `${sampleInstance}-host`;

/**
 * Deploys so many instances on one host, of the sample solution, and waits until all are RUNNING. The server
 * has its sample data (`SAMPLE_DATA=on`).
 */
export async function deployFleet(server: ServerProcess, instances: number): Promise<void> {
  const others = Array.from({ length: instances - 1 }, (_, at) => `instance-${at + 2}`);
  for (const key of others) {
    const devices = { key: `${key}-devices`, storage: 'CLOUD' };
    await mutate(server, 'createDeviceRepository', devices);
    await mutate(server, 'createInstance', {
      key,
      solution: 'greenhouse',
      subscription: 'trial',
      deviceRepository: devices.key,
      configuration: { app: {} },
      host: sampleHost,
    });
  }
  // The host starts with it, and the others with their host.
  await mutate(server, 'deployInstance', { instance: sampleInstance });
  await untilRunning(server, instances);
}

/** Ends the host and everything on it. */
export async function removeFleet(server: ServerProcess, host = sampleHost): Promise<void> {
  await mutate(server, 'removeHost', { host, force: true });
  await untilHost(server, host, 'OFFLINE');
}

export async function untilHost(server: ServerProcess, key: string, state: string): Promise<void> {
  await until(async () => {
    const { host } = await ask<{ host: { state: string } }>(
      server,
      `{ host(host: "${key}") { state } }`,
    );
    return host.state === state;
  });
}

/** The live processes of a data folder beside the server. */
export function processesOf(dataDir: string): { agents: number[]; runtimes: number[] } {
  const agents: number[] = [];
  const runtimes: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
      if (environment.includes('RUNTIME_INSTANCE=') && environment.includes(dataDir))
        runtimes.push(Number(name));
      else if (command.includes(`${dataDir}/hosts/`)) agents.push(Number(name));
    } catch {} // It has ended.
  }
  return { agents, runtimes };
}

export const untilRunning = (server: ServerProcess, wanted: number): Promise<void> =>
  untilInstances(server, 'RUNNING', wanted);

/** Waits until so many instances are in the state. */
export async function untilInstances(
  server: ServerProcess,
  state: string,
  wanted: number,
): Promise<void> {
  await until(async () => {
    const { instances } = await ask<{ instances: { totalCount: number } }>(
      server,
      `{ instances(filter: { state: [${state}] }) { totalCount } }`,
    );
    return instances.totalCount === wanted;
  });
}

/** Throws unless the history of each instance ends with these states. */
export async function expectHistories(
  server: ServerProcess,
  keys: readonly string[],
  states: readonly string[],
): Promise<void> {
  for (const key of keys) {
    const { instance } = await ask<{ instance: { history: { nodes: { to: string }[] } } }>(
      server,
      `{ instance(instance: "${key}") { history(last: ${states.length}) { nodes { to } } } }`,
    );
    const history = instance.history.nodes.map(({ to }) => to).join();
    if (history !== states.join()) throw new Error(`The history of ${key} is ${history}.`);
  }
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const began = performance.now();
  while (!(await isSo())) {
    if (performance.now() - began > giveUpMilliseconds) throw new Error('It took too long.');
    await sleep(100);
  }
}

export async function mutate(server: ServerProcess, field: string, input: object): Promise<void> {
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  const data = await ask<Record<string, { __typename: string; message?: string }>>(
    server,
    `mutation ($input: ${type}!) { ${field}(input: $input) { __typename ... on UserError { message } } }`,
    { input },
  );
  const { __typename = '', message = '' } = data[field] ?? {};
  if (!/(Saved|Accepted)$/.test(__typename)) throw new Error(`${field}: ${__typename} ${message}`);
}

async function ask<Data>(server: ServerProcess, query: string, variables = {}): Promise<Data> {
  const answer = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await answer.json()) as { data: Data; errors?: object[] };
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
