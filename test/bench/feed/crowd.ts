/** Subscribers in great number, each with a socket of its own; runs in the client process. */
import { randomUUID } from 'node:crypto';
import { now } from './clock.ts';
import { isNext, numberOf } from './frame.ts';
import { openSocket, type ThinSocket } from './socket.ts';

export interface CrowdOptions {
  readonly url: string;
  readonly count: number;
  /** Null: every text frame is an event, as bare `ws` sends it. */
  readonly token: string | null;
  /** Sockets that are connecting at a time; null: all at once. */
  readonly atATime: number | null;
  /** What each asks for as soon as it is connected. */
  readonly wanted?: Wanted;
}

export interface Wanted {
  /** Several: of the n-th socket the n-th, from the beginning again when there are no more. */
  readonly query: string | readonly string[];
  /** The same. */
  readonly variables: readonly object[];
  /** Only the first so many sockets; null: all. */
  readonly first?: number | null;
  /** Subscriptions on each socket. */
  readonly times?: number;
}

export interface Counted {
  readonly frames: number;
  /** Sockets with an open subscription. */
  readonly subscribers: number;
  /** Connections and subscriptions that were refused at first, as an overloaded server does. */
  readonly retries: number;
  /** Events that were not the next of their socket, where that was looked at. */
  readonly outOfOrder: number;
  readonly closed: readonly string[];
}

interface Member {
  socket: ThinSocket | null;
  readonly index: number;
  ids: string[];
  wanted: { query: string; variables: object; times: number } | null;
  count: number;
  lastNumber: number;
  /** Has had an event of its present subscription. */
  isKnown: boolean;
}

const mostRetries = 10;

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #members: Member[];
  readonly #retries: number[];
  #active: Member[] = [];
  #frames = 0;
  #retried = 0;
  #outOfOrder = 0;
  #closed: string[] = [];
  #leaving = false;
  #failure: Error | null = null;
  #sample: string | null = null;
  #goal: { count: number; missing: number; reached(): void; fail(error: Error): void } | null =
    null;
  /** Pairs of an event's number and the moment of its arrival. */
  #stamps: number[] | null = null;
  #isOrderWatched = false;
  #opened: (member: Member) => void = () => {};

  constructor(options: CrowdOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.count }, (_, index) => ({
      socket: null,
      index,
      ids: [],
      wanted: null,
      count: 0,
      lastNumber: 0,
      isKnown: false,
    }));
    this.#retries = this.#members.map(() => 0);
  }

  /** Resolves when all are connected; they may not be subscribed by then. */
  open(): Promise<void> {
    if (this.#options.wanted) this.#plan(this.#options.wanted);
    return new Promise((resolve, reject) => {
      const { count, atATime } = this.#options;
      let next = 0;
      const connected = new Set<Member>();
      const connectNext = () => {
        const member = this.#members[next++];
        if (member) this.#connect(member);
      };
      this.#opened = (member) => {
        if (connected.has(member)) return;
        connected.add(member);
        if (connected.size === count) resolve();
        else if (atATime !== null) connectNext();
      };
      this.#goal = { count: -1, missing: -1, reached() {}, fail: reject };
      if (count === 0) resolve();
      for (let at = 0; at < Math.min(count, atATime ?? count); at += 1) connectNext();
    });
  }

  subscribe(wanted: Wanted): void {
    this.#plan(wanted);
    for (const member of this.#active) this.#ask(member);
  }

  /** Ends all subscriptions; the sockets stay. */
  complete(): void {
    for (const member of this.#active) {
      for (const id of member.ids) member.socket?.send(JSON.stringify({ id, type: 'complete' }));
      member.ids = [];
      member.wanted = null;
    }
    this.#active = [];
  }

  reset(): void {
    this.#frames = 0;
    for (const member of this.#members) member.count = 0;
  }

  /** Resolves with the moment when each that is subscribed has had so many events since `reset`. */
  reached(count: number, seconds: number): Promise<number> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const missing = this.#active.filter((member) => member.count < count).length;
      if (missing === 0) return resolve(now());
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#goal = null;
        settle();
      };
      const goal = {
        count,
        missing,
        reached: () => end(() => resolve(now())),
        fail: (error: Error) => end(() => reject(error)),
      };
      const timer = setTimeout(() => {
        const few = `${goal.missing} of ${this.#active.length}`;
        goal.fail(new Error(`${few} have not had ${count} events within ${seconds} s.`));
      }, seconds * 1000);
      this.#goal = goal;
    });
  }

  counted(): Counted {
    return {
      frames: this.#frames,
      subscribers: this.#active.length,
      retries: this.#retried,
      outOfOrder: this.#outOfOrder,
      closed: this.#closed,
    };
  }

  /** From now on the arrival of every event is noted. */
  stamp(): void {
    this.#stamps = [];
  }

  /** What was noted, as pairs of number and moment; nothing is noted any more. */
  stamps(): Float64Array {
    const taken = Float64Array.from(this.#stamps ?? []);
    this.#stamps = null;
    return taken;
  }

  /** From now on the events of a socket must have ascending numbers without a gap. */
  watchOrder(): void {
    this.#isOrderWatched = true;
    for (const member of this.#members) member.lastNumber = 0;
  }

  /** Nobody reads any more. */
  stall(): void {
    for (const { socket } of this.#members) socket?.stall();
  }

  /** The text of an event as it came. */
  sample(): string {
    if (this.#sample === null) throw new Error('No event has come.');
    return this.#sample;
  }

  leave(): void {
    this.#leaving = true;
    for (const { socket } of this.#members) socket?.destroy();
  }

  #plan({ query, variables, first, times = 1 }: Wanted): void {
    this.#active = this.#members.slice(0, first ?? undefined);
    const queries = typeof query === 'string' ? [query] : query;
    for (const member of this.#active) {
      member.wanted = {
        query: queries[member.index % queries.length] ?? '',
        variables: variables[member.index % variables.length] ?? {},
        times,
      };
      member.isKnown = false;
    }
  }

  #connect(member: Member): void {
    const { url, token } = this.#options;
    const protocol = token === null ? null : 'graphql-transport-ws';
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${token}` } };
    member.socket = openSocket(
      { url, protocol },
      {
        onOpen: () => {
          if (token !== null) return member.socket?.send(JSON.stringify(init));
          if (member.wanted) this.#ask(member);
          this.#opened(member);
        },
        onText: (data, from, to) => {
          if (token === null || isNext(data, from, to)) this.#event(member, data, from, to);
          else this.#control(member, JSON.parse(data.toString('utf8', from, to)));
        },
        onClose: (why) => {
          if (this.#leaving) return;
          this.#closed.push(why);
          // One that had events would have to go on from its cursor.
          if (member.wanted && member.isKnown) this.#fail(new Error(`A socket was closed: ${why}`));
          else this.#again(member, `closed with ${why}`, () => this.#connect(member));
        },
      },
    );
  }

  #control(member: Member, message: { type: string; payload?: unknown }): void {
    if (message.type === 'connection_ack') {
      if (member.wanted) this.#ask(member);
      this.#opened(member);
    } else if (message.type === 'ping') member.socket?.send('{"type":"pong"}');
    else if (message.type === 'error')
      this.#again(member, JSON.stringify(message.payload), () => this.#ask(member));
    else if (message.type === 'complete' && member.wanted)
      this.#fail(new Error('The server completed a subscription.'));
  }

  #ask(member: Member): void {
    if (!member.wanted || this.#options.token === null) return;
    const { times, ...payload } = member.wanted;
    member.ids = Array.from({ length: times }, () => randomUUID());
    for (const id of member.ids)
      member.socket?.send(JSON.stringify({ id, type: 'subscribe', payload }));
  }

  #event(member: Member, data: Buffer, from: number, to: number): void {
    this.#frames += 1;
    member.count += 1;
    if (!member.isKnown) this.#check(member, data.toString('utf8', from, to));
    if (this.#stamps || this.#isOrderWatched) {
      const number = numberOf(data, from, to);
      this.#stamps?.push(number, now());
      if (this.#isOrderWatched) {
        if (member.lastNumber > 0 && number !== member.lastNumber + 1) this.#outOfOrder += 1;
        member.lastNumber = number;
      }
    }
    const goal = this.#goal;
    if (goal && member.count === goal.count && --goal.missing === 0) goal.reached();
  }

  /** The first event of each subscription must be one, whole. */
  #check(member: Member, text: string): void {
    member.isKnown = true;
    this.#sample = text;
    const { payload } = JSON.parse(text);
    if (!payload?.data || payload.errors) this.#fail(new Error(`No event: ${text}`));
  }

  /** As the client of graphql-ws does: again, after a while that grows and differs between them. */
  #again(member: Member, why: string, act: () => void): void {
    const before = this.#retries[member.index] ?? 0;
    this.#retries[member.index] = before + 1;
    this.#retried += 1;
    if (before >= mostRetries) this.#fail(new Error(`Refused ${before} times: ${why}`));
    else setTimeout(act, 1000 * 2 ** Math.min(before, 3) + 300 + Math.random() * 2700);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#goal?.fail(error);
  }
}
