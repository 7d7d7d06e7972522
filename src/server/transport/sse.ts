/**
 * Results as Server-Sent Events. `id:` is the cursor, so an EventSource resumes by itself. One
 * whose stream completed returns with the id `complete` and is answered 204, which ends its
 * retries.
 */
import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import { GraphQLError } from 'graphql';
import { NextFrames, serializeResult } from '../wire/next-frames.ts';
import type { SlowConsumer, SlowConsumers } from '../wire/slow-consumers.ts';
import { goneMs } from '../wire/socket-connection.ts';
import type { StreamLimits } from '../wire/stream-limits.ts';
import { Subscriber } from '../wire/subscriber.ts';

export const completedEventId = 'complete';

/** One event stream. A shared subscription writes to it through its group. */
export class EventStream extends Subscriber implements SlowConsumer {
  readonly response: Response;
  readonly #limits: StreamLimits;
  readonly #slowConsumers: SlowConsumers;
  readonly #connection: ServerResponse;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  #drains: (() => void)[] = [];
  laggingSince: number | null = null;

  constructor(
    connection: ServerResponse,
    { streamLimits, slowConsumers }: { streamLimits: StreamLimits; slowConsumers: SlowConsumers },
  ) {
    super();
    this.#connection = connection;
    this.#limits = streamLimits;
    this.#slowConsumers = slowConsumers;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        // Called as soon as there is room in the queue, even if the connection has not sent what it
        // got.
        pull: () => {
          if (!this.isFull()) this.#drained();
        },
        cancel: () => this.#close(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: streamLimits.laggingBytes }),
    );
    // Something must be sent at once: some clients show nothing of a response before.
    this.#send('retry: 1000\n\n');
    const headers = {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    };
    this.response = new Response(body, { headers });
  }

  /** Streams results that do not come through a group, then completes. */
  async follow(results: AsyncIterable<ExecutionResult> | ExecutionResult): Promise<void> {
    const pings = setInterval(() => this.#ping(), this.#limits.pingSeconds * 1000).unref();
    this.onLeave(() => clearInterval(pings));
    try {
      if (Symbol.asyncIterator in results) {
        const iterator = results[Symbol.asyncIterator]();
        this.onLeave(() => void iterator.return?.());
        for (let step = await iterator.next(); !step.done; step = await iterator.next()) {
          if (this.#controller === null) return;
          this.write(new NextFrames([serializeResult(step.value)]));
          if (this.isFull()) await new Promise<void>((resolve) => this.onDrain(resolve));
        }
      } else this.write(new NextFrames([serializeResult(results)]));
      this.#send(`event: complete\nid: ${completedEventId}\ndata:\n\n`);
    } catch (error) {
      if (error instanceof GraphQLError)
        this.write(new NextFrames([serializeResult({ errors: [error] })]));
    }
    this.#close();
  }

  /**
   * Ends it without `complete`, so that the client returns. A client that does not read is cut off.
   */
  close(): void {
    if (this.#controller !== null) setTimeout(() => this.#cut(), goneMs).unref();
    this.#close();
  }

  /** Its connection has closed. */
  gone(): void {
    this.#close();
  }

  giveUp(): void {
    this.close();
  }

  /** Bytes queued here, and bytes passed to the connection that it has not sent. */
  get waitingBytes(): number {
    return this.#queuedBytes() + this.#connection.writableLength;
  }

  isFull(): boolean {
    if (this.#controller === null) return false;
    const { laggingBytes } = this.#limits;
    // Below its high-water mark the connection emits no `drain`.
    const { writableNeedDrain, writableLength } = this.#connection;
    return (
      this.#queuedBytes() >= laggingBytes || (writableNeedDrain && writableLength > laggingBytes)
    );
  }

  write(frames: NextFrames): void {
    if (this.#queuedBytes() > this.#limits.bufferBytes) this.close();
    else this.#enqueue(frames.events);
  }

  onDrain(call: () => void): void {
    this.#drains.push(call);
    if (!this.isFull()) setImmediate(() => this.#drained());
    else {
      this.laggingSince ??= performance.now();
      this.#slowConsumers.add(this);
    }
  }

  #queuedBytes(): number {
    return this.#limits.laggingBytes - (this.#controller?.desiredSize ?? this.#limits.laggingBytes);
  }

  #ping(): void {
    if (!this.isFull()) this.#send(':\n\n');
  }

  #send(text: string): void {
    this.#enqueue(Buffer.from(text));
  }

  #enqueue(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
  }

  #drained(): void {
    this.laggingSince = null;
    this.#slowConsumers.delete(this);
    for (const call of this.#drains.splice(0)) call();
  }

  /** Ends the connection, even with unsent bytes. */
  #cut(): void {
    if (!this.#connection.writableFinished) this.#connection.destroy();
  }

  #close(): void {
    const controller = this.#controller;
    this.#controller = null;
    this.#drains = [];
    this.#slowConsumers.delete(this);
    try {
      controller?.close();
    } catch {
      // The client has cancelled it.
    }
    this.end();
  }
}
