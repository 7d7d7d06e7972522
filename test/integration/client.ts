/** A caller of the API, in the words of its domain: over HTTP, and over WebSocket for what is live. */
import { expect } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import type {
  Answer,
  HistoryRow,
  HostNow,
  InstanceNow,
  LogPage,
  LogRow,
  Outcome,
  Row,
  Target,
} from './answers.ts';

export type InstanceCommand =
  | 'deployInstance'
  | 'startInstance'
  | 'pauseInstance'
  | 'resumeInstance'
  | 'stopInstance'
  | 'restartInstance'
  | 'detachInstance'
  | 'updateRuntime';
export type HostCommand = 'deployHost' | 'restartHost' | 'restartContainer' | 'removeHost';

const refusal = '... on CommandRefused { operation { id status } blockedBy { key } }';
const failure = 'failure { code message stage exitCode logTail }';
const instanceFields = `id key state sequence desiredState converged reachability
  unreachableBecause takesMessages takesInputCommands endpoints { kind url address port dnsName }
  ${failure} activeOperation { id kind }`;
const hostFields = `id key state sequence removing failedStage address dnsName billedSince
  ${failure} activeOperation { id kind }`;

export type Client = ReturnType<typeof createClient>;

/** A caller of one server. */
export function createClient(target: Target) {
  /** Sends a document as it is; expects an answer of GraphQL, with errors or without. */
  async function ask<Data>(query: string, variables: object = {}): Promise<Answer<Data>> {
    const answer = await fetch(`${target.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        authorization: `Bearer ${target.token}`,
      },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(30_000),
    });
    return (await answer.json()) as Answer<Data>;
  }

  /** The same, where nothing may fail. */
  async function read<Data>(query: string, variables: object = {}): Promise<Data> {
    const { data, errors } = await ask<Data>(query, variables);
    if (errors || !data) throw new Error(`${query}: ${JSON.stringify(errors ?? data)}`);
    return data;
  }

  /** Runs one mutation; a refusal is an answer like any other. */
  async function mutate(field: string, input: object, fields = ''): Promise<Outcome> {
    const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
    const document = `mutation ($input: ${type}!) {
      ${field}(input: $input) {
        __typename
        ... on UserError { code message }
        ... on InvalidInput { issues { path message } }
        ${fields}
      }
    }`;
    const data = await read<Record<string, Outcome>>(document, { input });
    const outcome = data[field];
    if (!outcome) throw new Error(`${field} answered nothing`);
    return outcome;
  }

  const instance = async (key: string): Promise<InstanceNow> => {
    const document = `query ($key: ID!) { instance(instance: $key) { ${instanceFields} } }`;
    return (await read<{ instance: InstanceNow }>(document, { key })).instance;
  };
  const host = async (key: string): Promise<HostNow> => {
    const document = `query ($key: ID!) { host(host: $key) { ${hostFields} } }`;
    return (await read<{ host: HostNow }>(document, { key })).host;
  };
  const fleet = () =>
    read<{ instances: { nodes: InstanceNow[] }; hosts: { nodes: HostNow[] } }>(
      `{ instances(first: 100) { nodes { ${instanceFields} } }
         hosts(first: 100) { nodes { ${hostFields} } } }`,
    ).then(({ instances, hosts }) => ({ instances: instances.nodes, hosts: hosts.nodes }));

  const command = (field: InstanceCommand, key: string, more: object = {}) =>
    mutate(
      field,
      { instance: key, ...more },
      `... on InstanceCommandAccepted { operation { id status } } ${refusal}`,
    );
  const hostCommand = (field: HostCommand, key: string, more: object = {}) =>
    mutate(
      field,
      { host: key, ...more },
      `... on HostCommandAccepted { operation { id status } } ${refusal}`,
    );

  /** Looks again until the check passes; then answers what passed it. */
  function lookUntil<Value>(
    look: () => Promise<Value>,
    check: (value: Value) => void,
    seconds?: number,
  ): Promise<Value> {
    return eventually(async () => {
      const value = await look();
      check(value);
      return value;
    }, seconds);
  }

  const stateIs = (state: string, key: string) => (now: InstanceNow | HostNow) =>
    expect(now.state, `${key}: ${JSON.stringify(now.failure)}`).toBe(state);

  /** Every transition that is stored, in the order of the commits. */
  async function log(filter: object = {}): Promise<(LogRow & { row: Row })[]> {
    const rows: LogRow[] = [];
    let after: string | null = null;
    do {
      const page: { transitions: LogPage } = await read(
        `query ($after: String, $filter: TransitionFilter) {
          transitions(first: 200, after: $after, filter: $filter) {
            nodes { cursor sequence fromState toState resource { key } }
            pageInfo { hasNextPage endCursor }
          }
        }`,
        { after, filter },
      );
      rows.push(...page.transitions.nodes);
      const { hasNextPage, endCursor } = page.transitions.pageInfo;
      after = hasNextPage ? endCursor : null;
    } while (after !== null);
    return rows.map((each) => ({ ...each, row: rowOf(each) }));
  }

  return {
    ask,
    read,
    mutate,
    instance,
    host,
    fleet,
    command,
    hostCommand,
    lookUntil,
    log,

    /** Runs a command that must be accepted. */
    async accept(field: InstanceCommand, key: string, more: object = {}): Promise<Outcome> {
      const outcome = await command(field, key, more);
      expect(outcome, `${field} ${key}`).toMatchObject({ __typename: 'InstanceCommandAccepted' });
      return outcome;
    },
    async acceptHost(field: HostCommand, key: string, more: object = {}): Promise<Outcome> {
      const outcome = await hostCommand(field, key, more);
      expect(outcome, `${field} ${key}`).toMatchObject({ __typename: 'HostCommandAccepted' });
      return outcome;
    },
    until: (key: string, state: string, seconds?: number) =>
      lookUntil(() => instance(key), stateIs(state, key), seconds),
    untilHost: (key: string, state: string, seconds?: number) =>
      lookUntil(() => host(key), stateIs(state, key), seconds),
    /** Until nothing is under way any more. */
    untilSettled: (seconds = 60) =>
      lookUntil(
        fleet,
        ({ instances, hosts }) => {
          const busy = [...instances, ...hosts].filter((each) => each.activeOperation);
          expect(busy.map(({ key, state }) => `${key} ${state}`)).toEqual([]);
        },
        seconds,
      ),
    feedPosition: () =>
      read<{ feedPosition: string }>('{ feedPosition }').then((data) => data.feedPosition),

    /** The states that a resource entered, oldest first. */
    async history(key: string, kind: 'instance' | 'host' = 'instance'): Promise<string[]> {
      const document = `query ($key: ID!) { ${kind}(${kind}: $key) { history(first: 200) {
        nodes { sequence from to } } } }`;
      const data = await read<Record<string, { history: { nodes: HistoryRow[] } }>>(document, {
        key,
      });
      const rows = data[kind]?.history.nodes ?? [];
      let before = 'OFFLINE';
      for (const [index, { sequence, from, to }] of rows.entries()) {
        expect(`${sequence} ${from}`, `${key}: a path without a hole`).toBe(
          `${index + 1} ${before}`,
        );
        before = to;
      }
      return rows.map(({ to }) => to);
    },
    /** The newest rows of an instance's history are these. */
    async expectHistory(key: string, ...states: string[]): Promise<void> {
      expect((await this.history(key)).slice(-states.length)).toEqual(states);
    },
    async expectHostHistory(key: string, ...states: string[]): Promise<void> {
      expect((await this.history(key, 'host')).slice(-states.length)).toEqual(states);
    },
    /** Removes every host by force and waits until all are OFFLINE. */
    async removeEverything(): Promise<void> {
      for (const { key, state, removing } of (await fleet()).hosts) {
        if (state === 'OFFLINE' || removing) continue;
        await lookUntil(
          () => hostCommand('removeHost', key, { force: true }),
          (outcome) => expect(outcome).toMatchObject({ __typename: 'HostCommandAccepted' }),
        );
      }
      await lookUntil(fleet, ({ hosts }) =>
        expect(hosts.filter(({ state }) => state !== 'OFFLINE')).toEqual([]),
      );
    },
  };
}

/** A transition in one line. */
export function rowOf({ resource, sequence, fromState, toState }: LogRow): Row {
  return `${resource.key}#${sequence} ${fromState}→${toState}`;
}
