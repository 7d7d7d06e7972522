/** Subscriptions through the pipeline, as a transport runs them. */
import { randomUUID } from 'node:crypto';
import type { GraphQLSchema } from 'graphql';
import pino from 'pino';
import type { Context } from '../../src/api/base/context.ts';
import { defaultLimits } from '../../src/api/base/limits.ts';
import { createPipeline, type Pipeline } from '../../src/server/execution/pipeline.ts';
import { createAdmission } from '../../src/server/wire/admission.ts';
import { createMetrics } from '../../src/server/wire/metrics.ts';
import type { NextFrames } from '../../src/server/wire/next-frames.ts';
import { Subscriber } from '../../src/server/wire/subscriber.ts';
import type { Data } from './api.ts';

/** A subscriber that keeps what it is sent until somebody takes it. */
export class TestSubscriber extends Subscriber {
  readonly #received: Data[] = [];
  #arrived = () => {};
  #drains: (() => void)[] = [];
  /** Whoever is full is pushed nothing. */
  full = false;

  isFull(): boolean {
    return this.full;
  }

  write(frames: NextFrames): void {
    const lines = Buffer.from(frames.events).toString().split('\n');
    for (const line of lines)
      if (line.startsWith('data: ')) this.#received.push(JSON.parse(line.slice(6)));
    this.#arrived();
  }

  onDrain(call: () => void): void {
    if (this.full) this.#drains.push(call);
    else setImmediate(call);
  }

  drain(): void {
    this.full = false;
    for (const call of this.#drains.splice(0)) call();
  }

  /** The results, one after the other; done when the subscription is over. */
  async *results(): AsyncGenerator<Data, void, void> {
    let failure: unknown = null;
    this.next().then(
      () => this.#arrived(),
      (error: unknown) => {
        failure = error;
        this.#arrived();
      },
    );
    for (;;) {
      const result = this.#received.shift();
      if (result) yield result;
      else if (failure) throw failure;
      else if (this.isOver) return;
      else
        await new Promise<void>((resolve) => {
          this.#arrived = resolve;
        });
    }
  }
}

/** A pipeline whose context is the caller's own. */
export function testPipeline(schema: GraphQLSchema, context: () => Context): Pipeline {
  return createPipeline({
    schema,
    limits: defaultLimits,
    createContext: (viewer, request) => ({ ...context(), viewer, request }),
    admission: createAdmission({ ...defaultLimits, busyPercent: 100 }),
    metrics: createMetrics('test'),
    log: pino({ level: 'silent' }),
  });
}

/**
 * Subscribes; the data of each event.
 *
 * @throws the first error, where there is no stream, and that of an event
 */
export async function openStream(
  pipeline: Pipeline,
  viewer: Context['viewer'],
  request: { query: string; variables?: Data },
): Promise<AsyncIterableIterator<Data>> {
  const subscriber = new TestSubscriber();
  const ended = new AbortController();
  const results = await pipeline.run(request, {
    ...{ viewer, subscriber, requestId: randomUUID(), signal: ended.signal },
    ...{ transport: 'WEBSOCKET', method: 'SOCKET', lastEventId: null },
  });
  if (!(Symbol.asyncIterator in results)) throw results.errors?.[0] ?? new Error('no stream');
  const source = results === subscriber ? subscriber.results() : results;
  const stream: AsyncIterableIterator<Data> = {
    async next() {
      const { done, value } = await source.next();
      if (done) return { done: true, value: undefined };
      const { errors, data } = value as Data;
      if (errors)
        throw new Error(errors.map(({ message }: { message: string }) => message).join('\n'));
      return { done: false, value: data };
    },
    async return() {
      ended.abort();
      await (results === subscriber ? subscriber : source).return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}
