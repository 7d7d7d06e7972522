/** Devices that send to an instance, and the ledger of what each message was answered. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { randomNumbers } from '../load.ts';
import { createMessages, type Message, type Value } from './messages.ts';

/** `UNKNOWN`: the connection ended before the answer. */
export type Outcome = 'ACCEPTED' | 'REFUSED' | 'NOT_LISTENING' | 'UNKNOWN';

export interface Counts {
  readonly accepted: number;
  readonly refused: number;
  readonly unknown: number;
  /** Accepted values by what became of them. */
  readonly kept: number;
  readonly replaced: number;
  readonly lost: number;
}

/** What the store must have of one field of one device. */
interface Entry {
  /** The last value that was accepted, and those of unknown outcome that were sent after it. */
  last: Value | undefined;
  readonly after: Value[];
}

export type StoredValues = ReadonlyMap<string, Value>;

export interface Ledger {
  readonly accepted: number;
  record(message: Message, outcome: Outcome): void;
  /** Answers that break the contract. */
  readonly faults: string[];
  /** Compares with the values of the store, by `keyOf`. */
  compare(stored: StoredValues): { readonly counts: Counts; readonly wrong: readonly string[] };
}

export const keyOf = (device: string, field: string) => `${device}/${field}`;
const shown = (value: Value | undefined) => String(value).slice(0, 20);

export function createLedger(): Ledger {
  const entries = new Map<string, Entry>();
  const faults: string[] = [];
  const total = { accepted: 0, refused: 0, unknown: 0 };
  return {
    get accepted() {
      return total.accepted;
    },
    faults,
    record({ device, values, isIllegal }, outcome) {
      if (outcome === 'NOT_LISTENING') return;
      if (isIllegal && outcome === 'ACCEPTED') faults.push(`an illegal message of ${device}`);
      for (const [field, value] of Object.entries(values)) {
        if (outcome === 'REFUSED') {
          total.refused += 1;
          continue;
        }
        const key = keyOf(device, field);
        const entry = entries.get(key) ?? { last: undefined, after: [] };
        entries.set(key, entry);
        if (outcome === 'ACCEPTED') {
          entry.last = value;
          entry.after.length = 0;
          total.accepted += 1;
        } else {
          entry.after.push(value);
          total.unknown += 1;
        }
      }
    },
    compare(stored) {
      const wrong: string[] = [];
      let kept = 0;
      let lost = 0;
      for (const [key, { last, after }] of entries) {
        const found = stored.get(key);
        if (found === last) {
          if (last !== undefined) kept += 1;
          continue;
        }
        if (found !== undefined && after.includes(found)) continue;
        if (last !== undefined) lost += 1;
        wrong.push(`${key}: ${shown(found)} instead of ${shown(last)}`);
      }
      for (const [key, value] of stored)
        if (!entries.has(key)) wrong.push(`${key}: ${shown(value)}, which nobody was told of`);
      const replaced = total.accepted - kept - lost;
      return { counts: { ...total, kept, replaced, lost }, wrong };
    },
  };
}

export interface SendersOptions {
  /** The key of the instance. */
  readonly instance: string;
  readonly ledger: Ledger;
  /** Where it takes messages; null: not known yet. */
  readonly url: () => string | null;
  readonly seed: number;
  /** Concurrent senders. */
  readonly count: number;
  /** Between two messages of a sender, on average. They come in bursts. */
  readonly pauseMilliseconds: number;
  /** Have enough values been accepted? */
  readonly isEnough: () => boolean;
}

const mostInBurst = 60;

/** Sends until enough is accepted. A sender sends one message after the other. */
export async function send(options: SendersOptions): Promise<void> {
  const { instance, ledger, url, pauseMilliseconds } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: options.count });
  const senders = Array.from({ length: options.count }, async (_, n) => {
    const seed = options.seed + n * 7919;
    const random = randomNumbers(seed + 1);
    const nextMessage = createMessages(`${instance}-${n}`, seed);
    while (!options.isEnough()) {
      const burst = Math.ceil(random() * mostInBurst);
      const until = performance.now() + burst * pauseMilliseconds;
      for (let sent = 0; sent < burst && !options.isEnough(); sent += 1) {
        const message = nextMessage();
        const to = url();
        const outcome = to === null ? 'NOT_LISTENING' : await post(to, message, { agent, ledger });
        ledger.record(message, outcome);
        if (outcome !== 'ACCEPTED') await delay(50);
      }
      await delay(Math.max(0, until - performance.now()));
    }
  });
  await Promise.all(senders).finally(() => agent.destroy());
}

function post(
  url: string,
  { device, values }: Message,
  { agent, ledger }: { agent: Agent; ledger: Ledger },
): Promise<Outcome> {
  const body = Buffer.from(JSON.stringify({ device, ...values }));
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      const { statusCode = 0 } = response;
      response.resume().on('error', () => {});
      if (statusCode === 202) return resolve('ACCEPTED');
      if (![400, 413, 503].includes(statusCode)) {
        ledger.faults.push(`${device} was answered ${statusCode}`);
      }
      resolve('REFUSED');
    });
    sent.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code === 'ECONNREFUSED' ? 'NOT_LISTENING' : 'UNKNOWN'),
    );
    sent.end(body);
  });
}
