/**
 * A subscriber of a group. There is no queue per subscriber, only a state and a position:
 *
 *     BEHIND ── CAUGHT_UP ──► LIVE ── FELL_BEHIND ──► BEHIND
 *        └────────────────────── LEFT ─────────────────► GONE
 */
import type { LogPosition } from '../../store/log/log.ts';
import type { Replay } from '../channel/channel.ts';
import { later } from '../channel/cursor.ts';

/** What the items of a subscriber are written to. */
export interface Outlet<Message> {
  /** So much waits for the network that nothing more should be written. */
  isFull(): boolean;
  write(message: Message): void;
  /** Calls back once when what waited is sent; never if the outlet is closed before. */
  onDrain(call: () => void): void;
  /** Nothing more will come; with an error if the stream failed. */
  end(error?: unknown): void;
  /** Calls back once when the subscriber leaves; at once if it has left. */
  onLeave(call: () => void): void;
}

export type MemberState = 'BEHIND' | 'LIVE' | 'GONE';
export type MemberEvent = 'CAUGHT_UP' | 'FELL_BEHIND' | 'LEFT';

/** The state that an event leads to. An event that is not listed changes nothing. */
export const memberTransitions: Record<MemberState, Partial<Record<MemberEvent, MemberState>>> = {
  /** Missed items are read and written to it. */
  BEHIND: { CAUGHT_UP: 'LIVE', LEFT: 'GONE' },
  /** New items are written to it as they come. */
  LIVE: { FELL_BEHIND: 'BEHIND', LEFT: 'GONE' },
  GONE: {},
};

export class Member<Message> {
  readonly outlet: Outlet<Message>;
  #state: MemberState = 'BEHIND';
  #position: LogPosition;
  #replay: Pick<Replay<unknown>, 'close'> | null = null;

  constructor(outlet: Outlet<Message>, position: LogPosition) {
    this.outlet = outlet;
    this.#position = position;
  }

  get isLive(): boolean {
    return this.#state === 'LIVE';
  }

  get isGone(): boolean {
    return this.#state === 'GONE';
  }

  /** BEHIND: everything up to here was written. LIVE: everything that it missed was. */
  get position(): LogPosition {
    return this.#position;
  }

  /** It catches up by this replay, which is closed when it leaves. */
  follow(replay: Pick<Replay<unknown>, 'close'>): void {
    this.#replay = replay;
  }

  /** Everything up to the position was written. */
  caughtUp(position: LogPosition): void {
    this.#replay = null;
    if (this.#enter('CAUGHT_UP')) this.#position = position;
  }

  /** Everything up to the position was written, and nothing behind it will be. */
  fellBehind(position: LogPosition): void {
    if (this.#enter('FELL_BEHIND')) this.#position = later(this.#position, position);
  }

  leave(): void {
    if (this.#enter('LEFT')) this.#replay?.close();
  }

  #enter(event: MemberEvent): boolean {
    const next = memberTransitions[this.#state][event];
    if (next) this.#state = next;
    return next !== undefined;
  }
}
