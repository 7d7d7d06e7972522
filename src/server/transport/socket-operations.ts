/**
 * The operations of one socket by id. An id is free when its client has completed the operation or
 * was told that it is over, but the server may still be ending it. graphql-ws would confuse the
 * ending operation with the next one of the same id, so the next one waits.
 */
import { CloseCode } from 'graphql-ws';
import { asciiJson, type NextFrames } from '../wire/next-frames.ts';
import type { SocketConnection } from '../wire/socket-connection.ts';
import { Subscriber } from '../wire/subscriber.ts';

/** A subscription whose events its group writes to the socket. */
class SocketSubscriber extends Subscriber {
  readonly #connection: SocketConnection;
  readonly #id: string;

  constructor(connection: SocketConnection, id: string) {
    super();
    this.#connection = connection;
    this.#id = asciiJson(id);
  }

  isFull(): boolean {
    return this.#connection.isFull();
  }

  write(frames: NextFrames): void {
    if (this.isOver) return;
    const { stream } = this.#connection;
    if (stream && this.#connection.admits(frames.bytes)) frames.writeTo(stream, this.#id);
  }

  onDrain(call: () => void): void {
    this.#connection.onDrain(call);
  }
}

/** From its `subscribe` until graphql-ws has ended it. */
interface Operation {
  isIdFree: boolean;
  subscriber: Subscriber | null;
  /** The `subscribe` that waits for this id. */
  next: string | null;
}

/**
 * Handles one message. Resolves when it is handled; for a `subscribe`, when its operation has
 * ended.
 */
type Handle = (text: string) => Promise<void>;

export class SocketOperations {
  readonly #connection: SocketConnection;
  readonly #operations = new Map<string, Operation>();
  #isOver = false;

  constructor(connection: SocketConnection) {
    this.#connection = connection;
  }

  /** Passes on a message of the client, at once or when its id is free. */
  take(text: string, handle: Handle): void {
    const { type, id } = headOf(text);
    const operation = this.#operations.get(id);
    if (type === 'subscribe' && operation?.isIdFree) this.#hold(operation, text);
    else if (type === 'subscribe' && !operation) this.#run(id, text, handle);
    else if (type === 'complete' && operation?.next) operation.next = null;
    else {
      void handle(text);
      if (type !== 'complete') return;
      this.free(id);
      operation?.subscriber?.end();
    }
  }

  /** The client is about to be told that the operation is over. */
  free(id: string): void {
    const operation = this.#operations.get(id);
    if (operation) operation.isIdFree = true;
  }

  /** The target of the events of the operation, if it is a shared subscription. */
  subscriber(id: string): Subscriber {
    const subscriber = new SocketSubscriber(this.#connection, id);
    const operation = this.#operations.get(id);
    if (operation) operation.subscriber = subscriber;
    return subscriber;
  }

  /** The socket has closed. */
  end(): void {
    this.#isOver = true;
    for (const { subscriber } of this.#operations.values()) subscriber?.end();
  }

  #hold(operation: Operation, text: string): void {
    if (operation.next === null) operation.next = text;
    else this.#connection.close(CloseCode.SubscriberAlreadyExists, 'Subscriber already exists');
  }

  #run(id: string, text: string, handle: Handle): void {
    const operation: Operation = { isIdFree: false, subscriber: null, next: null };
    this.#operations.set(id, operation);
    void handle(text).then(() => {
      this.#operations.delete(id);
      operation.subscriber?.end();
      if (operation.next !== null && !this.#isOver) this.#run(id, operation.next, handle);
    });
  }
}

/** Type and id of a message; graphql-ws reports what is wrong with it. */
function headOf(text: string): { type: unknown; id: string } {
  try {
    const { type, id } = JSON.parse(text);
    return { type: typeof id === 'string' ? type : null, id };
  } catch {
    return { type: null, id: '' };
  }
}
