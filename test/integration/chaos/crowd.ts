/** A process of clients: each follows the feed and keeps all that it is told, each event as it comes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createResumingClient, type ResumingClient } from '../../../src/client/client.ts';
import { answerWith } from '../../bench/feed/process.ts';

/** What is followed; those with a resource are read from the database at each event. */
const documents = {
  changes: `subscription ($after: Cursor) { changes(after: $after) { __typename
    ... on Transition { cursor sequence toState } ... on ResourceChange { cursor kind } } }`,
  transitions: `subscription ($after: Cursor) { instanceTransitions(after: $after) {
    cursor sequence from to } }`,
  'changes of resources': `subscription ($after: Cursor) { changes(after: $after) { __typename
    ... on Transition { cursor resource { key } }
    ... on ResourceChange { cursor resource { key } } } }`,
  'transitions of instances': `subscription ($after: Cursor) { instanceTransitions(after: $after) {
    cursor to instance { key state } } }`,
} as const;
export type Followed = keyof typeof documents;

export interface CrowdOptions {
  /** Of every node one; each connect takes another at random. */
  readonly urls: readonly string[];
  readonly token: string;
  readonly count: number;
  /** What they follow, by turns; everything, unless it is given. */
  readonly followed?: readonly Followed[];
}

/** What a client was told, in the order in which it came. */
export interface Received {
  readonly followed: Followed;
  /** The position that it began behind. */
  readonly start: string;
  /** Slots among `cursors`. */
  readonly order: Int32Array;
  readonly connects: number;
  /** Errors, ends, and events that are not whole: none, if all is well. */
  readonly faults: readonly string[];
}

interface Follower {
  readonly client: ResumingClient;
  readonly followed: Followed;
  readonly order: number[];
  readonly faults: string[];
  start: string;
  connects: number;
}

const followers: Follower[] = [];
/** Every cursor once, however many clients are told of it. */
const cursors: string[] = [];
const places = new Map<string, number>();

function placeOf(cursor: string): number {
  const known = places.get(cursor);
  if (known !== undefined) return known;
  places.set(cursor, cursors.length);
  return cursors.push(cursor) - 1;
}

/** Follows; resolves when the client knows where it begins. */
function follow({ urls, token }: CrowdOptions, followed: Followed): Promise<void> {
  const client = createResumingClient({
    url: `${urls[0]}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
    webSocketImpl: class extends WebSocket {
      constructor(_url: string, protocols?: string | string[]) {
        const url = urls[Math.floor(Math.random() * urls.length)] ?? '';
        super(`${url.replace('http', 'ws')}/graphql`, protocols);
      }
    },
    keepAliveSeconds: 2,
    longestWaitSeconds: 1,
    onStatus(status) {
      if (status === 'CONNECTED') follower.connects += 1;
    },
  });
  const order: number[] = [];
  const faults: string[] = [];
  const follower: Follower = { client, followed, order, faults, start: '', connects: 0 };
  followers.push(follower);
  return new Promise((resolve) => {
    client.subscribe<Record<string, unknown>, { feedPosition: string }>(
      {
        query: documents[followed],
        snapshot: { query: '{ feedPosition }' },
        onReset({ reason, data }) {
          if (reason !== 'INITIAL') faults.push(`reset: ${reason}`);
          follower.start = data.feedPosition;
          resolve();
        },
      },
      {
        next({ errors, extensions }) {
          if (errors) faults.push(JSON.stringify(errors));
          if (typeof extensions?.cursor === 'string') order.push(placeOf(extensions.cursor));
          else faults.push('an event without a cursor');
        },
        error(error) {
          faults.push(String(error));
          resolve();
        },
        complete: () => void faults.push('it ended'),
      },
    );
  });
}

const tasks = {
  async follow(options: CrowdOptions): Promise<void> {
    const all = options.followed ?? (Object.keys(documents) as Followed[]);
    const begun: Promise<void>[] = [];
    for (let n = 0; n < options.count; n += 1) {
      begun.push(follow(options, all[n % all.length] as Followed));
      await sleep(100); // So that they begin at different places.
    }
    await Promise.all(begun);
  },
  /** Events so far, of all clients. */
  events: (): number => followers.reduce((sum, { order }) => sum + order.length, 0),
  /** How many clients were told of each of these last, by what they follow. */
  reached(last: Readonly<Record<Followed, string>>): number {
    const at = ({ order, followed }: Follower) => cursors[order.at(-1) ?? -1] === last[followed];
    return followers.filter(at).length;
  },
  faults: (): string[] => followers.flatMap(({ faults }) => faults),
  received: (): { cursors: string[]; clients: Received[] } => ({
    cursors,
    clients: followers.map(({ client: _, order, ...rest }) => ({
      ...rest,
      order: Int32Array.from(order),
    })),
  }),
  async leave(): Promise<void> {
    for (const { client } of followers) await client.dispose();
  },
};

export type Crowd = typeof tasks;

answerWith(tasks);
