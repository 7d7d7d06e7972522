/** One subscription of one client in its group, as its transport uses it. */
import type { Outlet } from '../../feed/group/member.ts';
import type { NextFrames } from './next-frames.ts';

/**
 * An async generator that never yields: graphql-ws, or whoever awaits it, keeps the state of the
 * protocol, while the group writes the events. It is done when the subscription is over.
 */
export abstract class Subscriber implements Outlet<NextFrames>, AsyncGenerator<never, void, void> {
  /** Converts an error for the client. */
  mask: (error: unknown) => unknown = (error) => error;
  #leaveCalls: (() => void)[] = [];
  #ended: { readonly error?: unknown } | null = null;
  #settle: (() => void) | null = null;

  abstract isFull(): boolean;
  abstract write(frames: NextFrames): void;
  abstract onDrain(call: () => void): void;

  /** Calls once when the subscription is over; at once if it is over already. */
  onLeave(call: () => void): void {
    if (this.#ended) call();
    else this.#leaveCalls.push(call);
  }

  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = error === undefined ? {} : { error };
    for (const call of this.#leaveCalls.splice(0)) call();
    this.#settle?.();
  }

  get isOver(): boolean {
    return this.#ended !== null;
  }

  async next(): Promise<IteratorResult<never, void>> {
    if (!this.#ended)
      await new Promise<void>((resolve) => {
        this.#settle = resolve;
      });
    const { error } = this.#ended ?? {};
    this.#ended = {};
    if (error !== undefined) throw this.mask(error);
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<never, void>> {
    this.end();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<never, void>> {
    this.end();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
  }
}
