/** The sides that fan-out is compared on: a node, bare `ws`, and the naive server. */

import {
  type BenchRun,
  crowdOf,
  type Database,
  type Node,
  notifierOf,
  startNode,
  watch,
  watchNaively,
} from './bench-run.ts';
import { type Child, startChild } from './process.ts';
import { openTransitions } from './transitions.ts';

export interface Side {
  /** Of its crowd in the client process too. */
  readonly name: string;
  readonly pid: number;
  /** What its crowd is opened with, subscriptions aside. */
  crowd(count: number): Parameters<import('./clients.ts').Clients['open']>[1];
  /** What its clients subscribe to; null: they need not. */
  readonly query: string | null;
  /** Makes so many events, together, for the first so many subscribers. */
  emit(events: number, subscribers: number): Promise<unknown>;
  collect(): Promise<unknown>;
  stop(): Promise<void>;
}

/** A node; an emission is a commit of so many transitions. */
export async function nodeSide(benchRun: BenchRun, database: Database): Promise<Side> {
  const node: Node = await startNode(benchRun, database, { subscribesUnderLoad: true });
  const notifier = notifierOf(database);
  const transitions = await openTransitions(database.store.database, {
    organizationId: database.store.defaultOrganizationId,
    notifier,
  });
  return {
    name: 'node',
    pid: node.pid,
    crowd: (count) => crowdOf(node, count),
    query: watch,
    emit: (events) => transitions.commit(events),
    collect: async () => node.collect(),
    async stop() {
      await notifier.stop();
      await node.stop();
    },
  };
}

/** Bare `ws`; an emission is one `send` for each event and socket, of the text that is given. */
export async function wsSide(text: () => string): Promise<Side> {
  const child: Child<import('./ws-server.ts').WsServer> = startChild(
    new URL('./ws-server.ts', import.meta.url),
  );
  const url = await child.call('start');
  return {
    name: 'ws',
    pid: child.pid,
    crowd: (count) => ({ url, count, token: null, atATime: 100 }),
    query: null,
    emit: (events, subscribers) => child.call('send', text(), events, subscribers),
    collect: () => child.call('collect'),
    stop: () => child.stop(),
  };
}

/** graphql-ws and `createPubSub`; an emission publishes what the text, an event of a node, shows. */
export async function naiveSide(text: () => string): Promise<Side> {
  const child: Child<import('./naive-server.ts').NaiveServer> = startChild(
    new URL('./naive-server.ts', import.meta.url),
  );
  const url = await child.call('start');
  return {
    name: 'naive',
    pid: child.pid,
    crowd: (count) => ({ url, count, token: 'none', atATime: 100 }),
    query: watchNaively,
    emit: (events) =>
      child.call('publish', JSON.parse(text()).payload.data.instanceTransitions, events),
    collect: () => child.call('collect'),
    stop: () => child.stop(),
  };
}
