/** One question to a name server and its answer, over UDP and, if that is truncated, over TCP. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import dnsPacket, { type Answer } from 'dns-packet';
import { largestUdpBytes } from './message.ts';

export interface ServerAddress {
  /** IP address. */
  readonly address: string;
  readonly port: number;
}

/** `10.0.0.2:53`, `[fd00::2]:53` */
export const addressText = ({ address, port }: ServerAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** A question. The name has no final dot. */
export interface Asked {
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'NS' | 'TXT';
}

export interface Exchanged {
  readonly rcode: number;
  readonly answers: readonly Answer[];
}

/**
 * Asks a name server once for the records of a name: over UDP, and over TCP if the answer is too
 * large. Anything that does not answer this question (id, name, type) is ignored.
 *
 * @throws the error of the socket, or the reason of the signal
 */
export async function exchange(
  server: ServerAddress,
  asked: Asked,
  signal: AbortSignal,
): Promise<Exchanged> {
  signal.throwIfAborted();
  const id = randomInt(0x10000);
  const query = dnsPacket.encode({
    type: 'query',
    id,
    questions: [{ ...asked, class: 'IN' }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: largestUdpBytes,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
  const read = (message: Buffer) => readAnswer(message, id, asked);
  const short = await overUdp(server, query, read, signal);
  return short.truncated ? await overTcp(server, query, read, signal) : short;
}

type Short = Exchanged & { truncated: boolean };
/** What a message says; null: it is no reply to what was sent. */
type Read<Result> = (message: Buffer) => Result | null;

function readAnswer(message: Buffer, id: number, { name, type }: Asked): ReturnType<Read<Short>> {
  try {
    const packet = dnsPacket.decode(message);
    const [question, ...others] = packet.questions ?? [];
    if (!packet.flag_qr || packet.id !== id || !question || others.length > 0) return null;
    if (question.type !== type || question.class !== 'IN') return null;
    if (question.name.toLowerCase() !== name.toLowerCase()) return null;
    return {
      rcode: (packet.flags ?? 0) & 0xf,
      answers: packet.answers ?? [],
      truncated: packet.flag_tc,
    };
  } catch {
    return null;
  }
}

function overUdp(server: ServerAddress, query: Buffer, read: Read<Short>, signal: AbortSignal) {
  const { promise, resolve, reject } = settler<Short>();
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  socket.on('error', reject);
  socket.on('message', (message) => {
    const answer = read(message);
    if (answer) resolve(answer);
  });
  // Connected: the kernel drops packets from elsewhere, and reports if nobody listens there.
  try {
    socket.connect(server.port, server.address, () => {
      if (!signal.aborted) socket.send(query, (error) => error && reject(error));
    });
  } catch (error) {
    reject(error);
  }
  return promise.finally(() => {
    signal.removeEventListener('abort', abort);
    socket.close();
  });
}

/** Sends one message over a connection of its own, and reads until something is the reply to it. */
export function overTcp<Result>(
  server: ServerAddress,
  message: Buffer,
  read: Read<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const { promise, resolve, reject } = settler<Result>();
  const socket = connect({ host: server.address, port: server.port });
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('The name server closed the connection.')));
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const answer = read(received.subarray(2, end));
      received = received.subarray(end);
      if (answer) resolve(answer);
    }
  });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  socket.write(Buffer.concat([length, message]));
  return promise.finally(() => {
    signal.removeEventListener('abort', abort);
    socket.destroy();
  });
}

function settler<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}
