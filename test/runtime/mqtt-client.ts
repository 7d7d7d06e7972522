/** Clients of an MQTT listener: the `mqtt` package, and a socket for what it would never send. */
import { connect as connectSocket, type Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { onTestFinished } from 'vitest';
import type { Endpoint } from '../../src/runtime/protocol.ts';

/** An error of the client, with the reason code that it was given. */
export interface ClientError extends Error {
  readonly code?: number | string;
}

/** A client that connects once; what happens to it is in `told`. */
export function openClient({ address, port }: Endpoint, options: IClientOptions = {}) {
  const client = connect({
    ...{ host: address, port, protocolVersion: 5, reconnectPeriod: 0, resubscribe: false },
    ...options,
  });
  client.setMaxListeners(200);
  const told: { disconnect?: { reasonCode?: number; reason?: string }; error?: ClientError } = {};
  client.on('disconnect', ({ reasonCode, properties }) => {
    told.disconnect = { reasonCode: reasonCode ?? 0, reason: properties?.reasonString ?? '' };
  });
  client.on('error', (error) => {
    told.error = error;
  });
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  onTestFinished(() => void client.end(true));
  return { client, told, closed };
}

/** Rejects with the refusal. */
export async function connected(client: MqttClient): Promise<MqttClient> {
  if (client.connected) return client;
  await new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.once('error', reject);
    client.once('close', () => reject(new Error('closed')));
  });
  return client;
}

/** Publishes with QoS 1; resolves with the reason code and the reason of the answer. */
export async function publish(client: MqttClient, topic: string, body: unknown) {
  let answer: { reasonCode?: number; properties?: { reasonString?: string } } | undefined;
  const hear = (packet: { cmd: string }) => {
    if (packet.cmd === 'puback') answer = packet as typeof answer;
  };
  client.on('packetreceive', hear);
  const payload = typeof body === 'string' || body instanceof Buffer ? body : JSON.stringify(body);
  await client.publishAsync(topic, payload, { qos: 1 }).catch((error: unknown) => {
    if (answer === undefined) throw error;
  });
  client.off('packetreceive', hear);
  return { code: answer?.reasonCode ?? 0, reason: answer?.properties?.reasonString };
}

/** A socket that sends these bytes; `closed` resolves with what it received. */
export function openSocket({ address, port }: Endpoint, bytes: Buffer) {
  const socket: Socket = connectSocket(port, address);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  const closed = new Promise<Buffer>((resolve) =>
    socket.once('close', () => resolve(Buffer.concat(received))),
  );
  socket.write(bytes);
  return { socket, closed, received: () => Buffer.concat(received) };
}
