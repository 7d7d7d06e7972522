/**
 * Delivers the items of a queue to the API: oldest first, in batches within the limits that the API
 * has sent, the same batch again until it is settled. If the API refuses a batch, ever smaller
 * parts are sent until the refused item is found. That is set aside and delays no other item.
 */
import { backOff } from '../timing/back-off.ts';
import { type Answer, RequestRejected } from './protocol.ts';

/** The limits of one batch. */
export interface BatchLimits {
  readonly items: number;
  /** Of the items as JSON. A single item may be longer. */
  readonly bytes: number;
}

export interface DeliveryQueue<T> {
  readonly isEmpty: boolean;
  /** The oldest items, at least one; they stay until they are delivered or set aside. */
  head(most: BatchLimits): readonly T[];
  delivered(items: readonly T[]): void;
  /** The API refused the first item of the head. */
  setAside(item: T, reason: string): void;
}

export interface DeliveryOptions<T> {
  readonly queue: DeliveryQueue<T>;
  /** Undefined until the API has sent them. */
  readonly limits: () => BatchLimits | undefined;
  /** Rejects if a retry may succeed, or with `RequestRejected`. */
  readonly send: (items: readonly T[]) => Promise<Answer>;
}

export interface Delivery {
  /** Call it after an item was put in the queue. */
  wake(): void;
  /** Resolves when the queue is empty. */
  flushed(): Promise<void>;
  /** Stops sending. */
  close(): void;
}

/** Delay before the first item is sent, so that others can join its batch. */
const lingerMilliseconds = 200;
/** Delay between two batches of a queue that holds more than one. */
const nextBatchMilliseconds = 20;
const maxRetryMilliseconds = 3_000;
/** After this many rejections a request is taken to be refused for its items. */
const maxRejections = 3;
/** Bytes of a list entry in JSON, with the comma. */
export const jsonBytes = (item: unknown) => Buffer.byteLength(JSON.stringify(item)) + 1;

/** Starts to deliver. */
export function createDelivery<T>({ queue, limits, send }: DeliveryOptions<T>): Delivery {
  /** Below the limit while a refused item is searched for. */
  let partItems = Number.POSITIVE_INFINITY;
  let failures = 0;
  let rejections = 0;
  let isSending = false;
  let isClosed = false;
  /** The last batch was settled, and more items are waiting. */
  let isFollowing = false;
  let timer: NodeJS.Timeout | undefined;
  const idle: (() => void)[] = [];

  function schedule(isUrgent = idle.length > 0 && failures === 0): void {
    if (isSending || isClosed || queue.isEmpty) return;
    if (timer !== undefined && !isUrgent) return;
    clearTimeout(timer);
    const linger = isFollowing ? nextBatchMilliseconds : lingerMilliseconds;
    const wait = backOff({ first: linger, max: maxRetryMilliseconds }, failures);
    timer = setTimeout(() => void sendPart(), isUrgent ? 0 : wait).unref();
  }

  async function sendPart(): Promise<void> {
    timer = undefined;
    const most = limits();
    isSending = true;
    try {
      if (most === undefined) failures += 1;
      else await sendHead({ ...most, items: Math.min(most.items, partItems) });
    } catch {
      // The file of the queue failed, as on a full disk: nothing is settled, so it is sent again.
      failures += 1;
    }
    isSending = false;
    isFollowing = failures === 0 && !queue.isEmpty;
    if (queue.isEmpty) for (const resolve of idle.splice(0)) resolve();
    schedule();
  }

  async function sendHead(most: BatchLimits): Promise<void> {
    const items = queue.head(most);
    try {
      const { code, message, ...answer } = await send(items);
      if (isClosed) return;
      failures = 0;
      rejections = 0;
      if (answer.__typename === 'RuntimeReportAccepted') {
        queue.delivered(items);
        partItems *= 2;
      } else refuse(items, `${code ?? answer.__typename}: ${message ?? ''}`);
    } catch (error) {
      if (isClosed) return;
      failures += 1;
      const isRejected = error instanceof RequestRejected && !error.retryable;
      rejections = isRejected ? rejections + 1 : 0;
      if (isRejected && rejections >= maxRejections) refuse(items, error.message);
    }
  }

  function refuse(items: readonly T[], reason: string): void {
    const [item] = items;
    if (items.length > 1) partItems = Math.ceil(items.length / 2);
    else if (item !== undefined) queue.setAside(item, reason);
  }

  return {
    wake: () => schedule(),
    async flushed() {
      if (queue.isEmpty) return;
      await new Promise<void>((resolve) => {
        idle.push(resolve);
        schedule(true);
      });
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}
