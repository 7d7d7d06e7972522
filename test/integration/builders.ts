/** What tests make through the API, and how they talk to what runs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Outcome } from './answers.ts';
import type { Client } from './client.ts';

/** The sample's definition, to be varied. */
export function greenhouse(): Record<string, unknown> & { listeners: { http: object } } {
  const path = fileURLToPath(new URL('../../schema/greenhouse.json', import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8'));
}

function expectSaved(outcome: Outcome, typename: string): void {
  expect(outcome, JSON.stringify(outcome)).toMatchObject({ __typename: typename });
}

/** A solution with one published version. */
export async function addSolution(client: Client, key: string, definition: object): Promise<void> {
  const save = await client.mutate('createSolution', { key, definition });
  expectSaved(save, 'SolutionSaved');
  const published = await client.mutate('publishSolutionVersion', { solution: key });
  expectSaved(published, 'SolutionVersionPublished');
}

export interface InstanceWishes {
  readonly solution?: string;
  /** A host to share; null: one of its own, `<key>-host`. */
  readonly host?: string | null;
  /** The configuration of its edition; the App edition unless it is given. */
  readonly configuration?: object;
  readonly settings?: object;
  /** Where the values of its devices are kept: CLOUD, unless it is given. */
  readonly storage?: string;
}

/** An instance with a device repository of its own. */
export async function addInstance(
  client: Client,
  key: string,
  { solution = 'greenhouse', host = null, ...wishes }: InstanceWishes = {},
): Promise<void> {
  const deviceRepository = `${key}-devices`;
  const { configuration = { app: {} }, settings, storage = 'CLOUD' } = wishes;
  const repository = { key: deviceRepository, storage };
  expectSaved(await client.mutate('createDeviceRepository', repository), 'DeviceRepositorySaved');
  const input = {
    key,
    solution,
    subscription: 'trial',
    deviceRepository,
    configuration,
    ...(host && { host }),
    ...(settings && { settings }),
  };
  expectSaved(await client.mutate('createInstance', input), 'InstanceSaved');
}

export async function addHost(client: Client, key: string): Promise<void> {
  expectSaved(await client.mutate('createHost', { key, subscription: 'trial' }), 'HostSaved');
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Sends a request to a runtime. Rejects with the code of the system's error where none listens. */
export async function send(url: string, message?: object): Promise<Reply> {
  try {
    const answer = await fetch(url, {
      method: message ? 'POST' : 'GET',
      headers: { connection: 'close', ...(message && { 'content-type': 'application/json' }) },
      body: message ? JSON.stringify(message) : null,
      signal: AbortSignal.timeout(5_000),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    throw new Error(cause?.code ?? String(error));
  }
}

/** Where an instance takes messages and where it answers input commands. */
export async function endpointsOf(
  client: Client,
  key: string,
): Promise<{ messages: string | null; commands: string | null }> {
  const { endpoints } = await client.instance(key);
  const of = (kind: string) => endpoints?.find((each) => each.kind === kind)?.url ?? null;
  return { messages: of('MESSAGES'), commands: of('INPUT_COMMANDS') };
}

export const climate = { device: 'bed-1', temperature: 21.5, humidity: 60 };
