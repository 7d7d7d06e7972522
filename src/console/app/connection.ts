/** The connection to the API: its state, the resuming client of the streams, and requests by POST. */
import { effect, signal } from '@preact/signals';
import {
  createResumingClient,
  type OperationRequest,
  type ResumingClient,
  StreamError,
  type StreamRequest,
  type StreamSink,
} from '../../client/client.ts';
import { holdNow, setServerTime, timeNow } from '../part/time.tsx';
import { missed } from './missed.ts';

export type ConnectionState = 'CONNECTING' | 'LIVE' | 'LOST' | 'SIGNED_OUT';

export const connection = signal<ConnectionState>('CONNECTING');
/** Up to when what the page shows is confirmed; null while the connection is live. */
export const asOf = signal<Date | null>(null);
effect(() => holdNow(asOf.value));

const resuming = createResumingClient({
  url: '/graphql',
  keepAliveSeconds: 5,
  longestWaitSeconds: 5,
  onStatus(status, heardAt) {
    if (connection.value === 'SIGNED_OUT') return;
    if (status === 'DISCONNECTED') {
      asOf.value ??= new Date(timeNow() - (Date.now() - heardAt.getTime()));
      missed.lost();
    } else {
      if (asOf.value) missed.back();
      asOf.value = null;
    }
    connection.value = status === 'CONNECTED' ? 'LIVE' : 'LOST';
  },
});

/** All streams of the page, over one WebSocket. Their errors go to `streamEnded`. */
export const client: ResumingClient = {
  ...resuming,
  query: <Data>(asked: OperationRequest) =>
    resuming.query<Data>(asked).catch((error: unknown) => {
      if (!isRefused(error)) throw error;
      signedOut();
      throw unauthenticated();
    }),
  subscribe: <Data, Snapshot>(request: StreamRequest<Snapshot>, sink: StreamSink<Data>) =>
    resuming.subscribe<Data, Snapshot>(withReset(request), {
      next(event) {
        missed.take(event);
        sink.next(event);
      },
      error: (error) => sink.error(error),
      complete: () => sink.complete?.(),
    }),
};

function withReset<Snapshot>(request: StreamRequest<Snapshot>): StreamRequest<Snapshot> {
  return {
    ...request,
    onReset(reset) {
      if (reset.reason !== 'INITIAL') missed.unknown(reset.reason);
      return request.onReset?.(reset);
    },
  };
}

/** The server refuses the session, or there is none any more: it was revoked, or is over. */
const refusedCloseCodes: readonly (number | null)[] = [4401, 4403];

const isRefused = (error: unknown): boolean =>
  error instanceof StreamError &&
  (error.code === 'UNAUTHENTICATED' || refusedCloseCodes.includes(error.closeCode));

/** For the `error` of each stream. @returns is it the end of the session? */
export function streamEnded(error: Error): boolean {
  if (isRefused(error)) signedOut();
  const isSessionOver = connection.peek() === 'SIGNED_OUT';
  // A log whose runtime does not run is no fault of the page; it says so itself.
  const isShown = error instanceof StreamError && error.code === 'RUNTIME_NOT_REACHABLE';
  if (!isSessionOver && !isShown) console.error(error);
  return isSessionOver;
}

function signedOut(): void {
  asOf.value ??= new Date(timeNow());
  connection.value = 'SIGNED_OUT';
}

/** Signed in again, in another window: the page begins anew. */
addEventListener('focus', async () => {
  if (connection.value !== 'SIGNED_OUT') return;
  const viewer = await request('{ viewer { name } }').catch(() => null);
  if (viewer) location.reload();
});

/** Ends the session, in all windows of this browser. @throws RequestError */
export async function signOut(): Promise<void> {
  const response = await fetch('/session', { method: 'DELETE' }).catch(() => {
    throw unreachable();
  });
  if (!response.ok && response.status !== 401)
    throw new RequestError(`The server answered ${response.status}.`, 'INTERNAL');
  location.assign('/sign-in');
}

/** Why a request has no data. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  /** `extensions.code`; UNREACHABLE: no answer came, and nothing is known of what was done. */
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** The server's own words are for programs: they speak of tokens. */
const unauthenticated = () =>
  new RequestError(
    'You are signed out. Run npm run link on the machine of the server, and open the link that it prints in this browser.',
    'UNAUTHENTICATED',
  );

const unreachable = () =>
  new RequestError('The server does not answer. Try again in a moment.', 'UNREACHABLE');

/**
 * Sends a query or a mutation. Partial answers count as errors.
 * @throws RequestError
 */
export async function request<Data>(query: string, variables: object = {}): Promise<Data> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query, variables }),
  }).catch(() => {
    throw unreachable();
  });
  if (response.status === 401) {
    signedOut();
    throw unauthenticated();
  }
  const { data, errors } = (await response.json().catch(() => ({}))) as {
    data?: Data;
    errors?: { message: string; extensions?: { code?: string } }[];
  };
  const [error] = errors ?? [];
  if (error || !data)
    throw new RequestError(
      error?.message ?? `The server answered ${response.status}.`,
      error?.extensions?.code ?? 'INTERNAL',
    );
  return data;
}

/**
 * Reads the clock of the server from the header of an answer. The first event of a stream does not tell it:
 * `at` is when the state was read, for another window perhaps, hours ago.
 */
export async function readServerTime(): Promise<void> {
  const sent = performance.now();
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: '{"query":"{ __typename }"}',
  }).catch(() => null);
  const at = response?.headers.get('date');
  if (at) setServerTime(at, performance.now() - sent);
}

/** A key that makes the repeat of a mutation safe. `crypto.randomUUID` is for secure contexts alone. */
export function newIdempotencyKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
