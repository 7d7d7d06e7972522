/**
 * The MQTT server of a listener: 3.1.1 and 5, for clients that publish with QoS 0 or 1. It is no broker:
 * nobody subscribes, nothing is kept for a session, and no message of a client reaches another.
 */
import { type AddressInfo, createServer } from 'node:net';
import { textOf } from '../../http/media-type.ts';
import type { MessageRefusal, TakeMessage } from '../intake.ts';
import { admits } from '../key.ts';
import type { MqttListener } from '../solution.ts';
import { codes } from './codes.ts';
import { limits } from './limits.ts';
import { type Outcome, Session } from './session.ts';
import { addressedBy } from './topic.ts';

export interface MqttOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  readonly listener: MqttListener;
  readonly take: TakeMessage;
  /** Called for every message and every refused connection; `error` if it was refused. */
  readonly onOutcome: (error: string | undefined) => void;
  /** Called with a failure of the server itself. */
  readonly onFailure: (text: string) => void;
}

export interface MqttServer {
  readonly port: number;
  /**
   * Stops listening, handles what has arrived, and tells the clients why they are disconnected; resolves
   * when they are gone, within little more than a second.
   */
  close(cutOff: AbortSignal, why: 'PAUSED' | 'STOPPING'): Promise<void>;
}

const maxConnections = 1_000;
const closeMilliseconds = 2_000;
const farewells = {
  PAUSED: [codes.administrativeAction, 'The instance is paused; connect again later.'],
  STOPPING: [codes.shuttingDown, 'The instance is stopping; connect again later.'],
} as const;

/** Opens a server. Rejects with the system's error (EADDRINUSE, …) if it cannot listen. */
export async function openMqtt(options: MqttOptions): Promise<MqttServer> {
  const { listener, onOutcome, onFailure } = options;
  const sessions = new Set<Session>();
  const byClient = new Map<string, Session>();
  const server = createServer((socket) => {
    const session = new Session({
      socket,
      admits: (password) => admits(listener.guard, password),
      publish: (topic, payload) => publish(options, topic, payload),
      claim: async (clientId, claiming) => {
        const other = byClient.get(clientId);
        byClient.set(clientId, claiming);
        void claiming.finished.then(() => {
          if (byClient.get(clientId) === claiming) byClient.delete(clientId);
        });
        await other?.close(
          codes.sessionTakenOver,
          'Another connection has this client identifier.',
        );
      },
      onRefused: onOutcome,
      onFailure: (error) => onFailure(String(error)),
    });
    sessions.add(session);
    void session.finished.then(() => sessions.delete(session));
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.address, port: options.port, exclusive: true }, resolve);
  });
  server.on('error', (error) => onFailure(error.message));
  return {
    port: (server.address() as AddressInfo).port,
    async close(_cutOff, why) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const open = [...sessions];
      const cut = () => {
        for (const session of open) session.cut();
      };
      const timer = setTimeout(cut, closeMilliseconds);
      const [code, reason] = farewells[why];
      await Promise.all(open.map((session) => session.close(code, reason)));
      clearTimeout(timer);
      await closed;
    },
  };
}

async function publish(options: MqttOptions, topic: string, payload: Buffer): Promise<Outcome> {
  const outcome = await outcomeOf(options, topic, payload);
  options.onOutcome(outcome.reason);
  return outcome;
}

async function outcomeOf(
  { listener, take, onFailure }: MqttOptions,
  topic: string,
  payload: Buffer,
): Promise<Outcome> {
  const addressed = addressedBy(listener.topic, topic);
  if (addressed === undefined) {
    return { code: codes.badTopic, reason: `The topic must be like ${listener.topic}.` };
  }
  if (payload.length > limits.payloadBytes) {
    const reason = `A message has ${limits.payloadBytes} bytes at most.`;
    return { code: codes.quotaExceeded, reason };
  }
  let body: unknown;
  try {
    body = JSON.parse(textOf(payload) ?? '');
  } catch {
    return { code: codes.badPayload, reason: 'The message is no JSON in UTF-8.' };
  }
  try {
    const taken = await take(listener, body, addressed);
    return taken === 'ACCEPTED' ? { code: codes.success } : refusalOf(taken);
  } catch (error) {
    onFailure(String(error));
    const reason = 'The runtime failed to answer; its log says why.';
    return { code: codes.unspecified, reason, isForNow: true };
  }
}

function refusalOf({ refused, error: reason }: MessageRefusal): Outcome {
  switch (refused) {
    case 'INVALID':
      return { code: codes.badPayload, reason };
    case 'TOO_LONG':
      return { code: codes.quotaExceeded, reason };
    case 'NOT_NOW':
      return { code: codes.quotaExceeded, reason, isForNow: true };
    default:
      return refused satisfies never;
  }
}
