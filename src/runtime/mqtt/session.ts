/**
 * One connection of an MQTT client, which publishes and nothing else. Its packets are handled one after
 * the other: while one is stored, no more are read, so a client that sends too fast is slowed down by TCP.
 *
 *     opened ── CONNECT with the key ──▶ connected ── DISCONNECT, a violation, a time limit, close ──▶ ended
 *
 * After a refusal the rest of what the client sends is read and dropped for a moment, so that the reason
 * reaches it.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet';
import { waitAtMost } from '../../timing/time-limit.ts';
import { Codec } from './codec.ts';
import { codes, connackCodes311, Ends } from './codes.ts';
import { BadFrame, Frames } from './frames.ts';
import { limits } from './limits.ts';

/** The outcome of a message: accepted, or refused with a code and a reason. */
export interface Outcome {
  readonly code: number;
  readonly reason?: string;
  /** It may be accepted later. */
  readonly isForNow?: boolean;
}

export interface SessionOptions {
  readonly socket: Socket;
  readonly admits: (password: string | undefined) => boolean;
  readonly publish: (topic: string, payload: Buffer) => Promise<Outcome>;
  /** Registers the client; resolves when another connection of the same name has ended. */
  readonly claim: (clientId: string, session: Session) => Promise<void>;
  /** Called for what was refused, other than a message. */
  readonly onRefused: (reason: string) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Packets of one client that are handled before others get their turn. */
const packetsPerTurn = 16;
const discardedBytes = 1_048_576;

export class Session {
  /** Resolves when the connection is gone and everything of it is done. */
  readonly finished: Promise<void>;
  readonly #options: SessionOptions;
  readonly #codec = new Codec();
  readonly #frames = new Frames();
  #connect: IConnectPacket | undefined;
  #silence: NodeJS.Timeout | undefined;
  #partial: NodeJS.Timeout | undefined;
  #isHandling = false;
  #isEnding = false;
  /** Set while it waits for the packet in hand. */
  #closing: Ends | undefined;
  /** The client said goodbye, or the listener did: its will is void. */
  #isWillVoid = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    options.socket.setNoDelay(true);
    options.socket.setKeepAlive(true, 60_000);
    options.socket.on('error', () => undefined);
    this.finished = this.#run();
  }

  /** Ends it after the packets that have arrived are handled. */
  async close(code: number, reason: string): Promise<void> {
    this.#isWillVoid ||= code !== codes.sessionTakenOver;
    this.#closing ??= new Ends(code, reason);
    if (!this.#isHandling) this.#end(this.#closing);
    await this.finished;
  }

  /** Cuts it, whatever is under way. */
  cut(): void {
    this.#options.socket.destroy();
  }

  async #run(): Promise<void> {
    const { socket } = this.#options;
    const late = new Ends(codes.keepAliveTimeout, 'No CONNECT came in time.');
    this.#expectWithin(limits.connectMilliseconds, late);
    let discarded = 0;
    try {
      for await (const chunk of socket as AsyncIterable<Buffer>) {
        if (this.#isEnding) {
          discarded += chunk.length;
          if (discarded > discardedBytes) break;
          continue;
        }
        this.#frames.push(chunk);
        this.#isHandling = true;
        await this.#handleFrames();
        this.#isHandling = false;
        if (this.#closing) this.#end(this.#closing);
      }
    } catch {
      // The connection was cut; there is nobody to answer.
    }
    this.#isEnding = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#partial);
    socket.destroy();
    await this.#publishWill();
  }

  async #handleFrames(): Promise<void> {
    try {
      for (let handled = 1; !this.#isEnding; handled += 1) {
        if (!this.#connect && (this.#frames.firstByte ?? connectByte) !== connectByte) {
          throw new Ends(codes.protocolError, 'CONNECT comes first.');
        }
        const most = this.#connect ? limits.packetBytes : limits.connectBytes;
        const frame = this.#frames.next(most);
        if (frame === undefined) break;
        clearTimeout(this.#partial);
        this.#partial = undefined;
        await this.#handle(this.#codec.decode(frame));
        this.#silence?.refresh();
        if (handled % packetsPerTurn === 0) await nextTurn();
      }
      if (this.#frames.isPartial && !this.#isEnding) this.#expectRest();
    } catch (error) {
      this.#refuse(this.#endOf(error));
    }
  }

  async #handle(packet: Packet): Promise<void> {
    if (packet.cmd === 'connect' && this.#connect === undefined) {
      await this.#open(packet);
      return;
    }
    const { messageId = 0 } = packet;
    const { isVersion5 } = this.#codec;
    switch (packet.cmd) {
      case 'publish':
        await this.#publish(packet);
        return;
      case 'pingreq':
        await this.#send({ cmd: 'pingresp' });
        return;
      case 'subscribe': {
        const granted = packet.subscriptions.map(() => (isVersion5 ? codes.notAuthorized : 0x80));
        if (granted.length === 0) throw new Ends(codes.protocolError, 'A SUBSCRIBE is empty.');
        await this.#send({ cmd: 'suback', messageId, granted }, noSubscriptions);
        return;
      }
      case 'unsubscribe': {
        const granted = packet.unsubscriptions.map(() => codes.noSubscriptionExisted);
        if (granted.length === 0) throw new Ends(codes.protocolError, 'An UNSUBSCRIBE is empty.');
        await this.#send({ cmd: 'unsuback', messageId, granted });
        return;
      }
      case 'disconnect':
        this.#isWillVoid ||= packet.reasonCode !== disconnectWithWill;
        this.#isEnding = true;
        this.#options.socket.destroySoon();
        return;
      default:
        throw new Ends(codes.protocolError, `A ${packet.cmd} is not expected here.`);
    }
  }

  async #open(packet: IConnectPacket): Promise<void> {
    const { protocolVersion, clientId, clean, keepalive = 0, properties } = packet;
    if (protocolVersion !== 4 && protocolVersion !== 5) {
      return this.#reject(codes.unsupportedVersion, 'Taken are MQTT 3.1.1 and 5.');
    }
    if (clientId === '' && protocolVersion === 4 && !clean) {
      return this.#reject(codes.badClientId, 'A client without an identifier has a clean session.');
    }
    if (properties?.authenticationMethod !== undefined) {
      return this.#reject(codes.badAuthenticationMethod, 'The key is sent as the password.');
    }
    if (!this.#options.admits(packet.password?.toString())) {
      return this.#reject(codes.badPassword, wrongKey);
    }
    const assigned = clientId === '' ? crypto.randomUUID() : undefined;
    const served = Math.min(keepalive || limits.keepAliveSeconds, limits.keepAliveSeconds);
    this.#connect = packet;
    const silent = new Ends(codes.keepAliveTimeout, 'Nothing came within the keep alive.');
    this.#expectWithin(served * 1_500, silent);
    await this.#options.claim(assigned ?? clientId, this);
    if (protocolVersion === 4) {
      return this.#send({ cmd: 'connack', returnCode: 0, sessionPresent: false });
    }
    await this.#send({
      cmd: 'connack',
      reasonCode: codes.success,
      sessionPresent: false,
      properties: {
        // A session ends with its connection.
        sessionExpiryInterval: 0,
        receiveMaximum: limits.receiveMaximum,
        maximumQoS: 1,
        maximumPacketSize: limits.packetBytes,
        topicAliasMaximum: 0,
        wildcardSubscriptionAvailable: false,
        subscriptionIdentifiersAvailable: false,
        sharedSubscriptionAvailable: false,
        ...(assigned === undefined ? {} : { assignedClientIdentifier: assigned }),
        ...(served === keepalive ? {} : { serverKeepAlive: served }),
      },
    });
  }

  async #reject(code: number, reason: string): Promise<void> {
    this.#options.onRefused(reason);
    await this.#send(
      {
        cmd: 'connack',
        sessionPresent: false,
        reasonCode: code,
        returnCode: connackCodes311[code] ?? 5,
      },
      reason,
    );
    this.#linger();
  }

  async #publish({ topic, payload, qos, properties, messageId = 0 }: IPublishPacket) {
    if (qos === 2) throw new Ends(codes.qosNotSupported, 'Taken are QoS 0 and 1, not 2.');
    if (properties?.topicAlias !== undefined) {
      throw new Ends(codes.badTopicAlias, 'There are no topic aliases.');
    }
    const { code, reason, isForNow } = await this.#options.publish(topic, bytesOf(payload));
    if (qos === 0) return;
    // 3.1.1 can only say yes. A client that has no answer sends the message again with its next connection.
    if (isForNow && !this.#codec.isVersion5) {
      this.#linger();
      return;
    }
    await this.#send({ cmd: 'puback', messageId, reasonCode: code }, reason);
  }

  /** A will is a message like any other, sent when the connection ends without a DISCONNECT. */
  async #publishWill(): Promise<void> {
    const will = this.#isWillVoid ? undefined : this.#connect?.will;
    if (will) await this.#options.publish(will.topic, bytesOf(will.payload));
  }

  async #send(packet: Packet, reason?: string): Promise<void> {
    const { socket } = this.#options;
    if (!socket.writable || socket.write(this.#codec.encode(packet, reason))) return;
    const done = new AbortController();
    const drained = ['drain', 'close'].map((event) => once(socket, event, { signal: done.signal }));
    await waitAtMost(limits.drainMilliseconds, Promise.race(drained));
    done.abort();
    await Promise.allSettled(drained);
    if (socket.writableNeedDrain) socket.destroy();
  }

  #endOf(error: unknown): Ends {
    if (error instanceof Ends) return error;
    if (error instanceof BadFrame) {
      return new Ends(
        error.isTooLong ? codes.packetTooLarge : codes.malformedPacket,
        error.message,
      );
    }
    this.#options.onFailure(error);
    return new Ends(codes.unspecified, 'The runtime failed; its log says why.');
  }

  #expectWithin(milliseconds: number, late: Ends): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (this.#isHandling) this.#silence?.refresh();
      else this.#refuse(late);
    }, milliseconds).unref();
  }

  /** A client that sends a packet byte by byte is not kept. */
  #expectRest(): void {
    const late = new Ends(codes.keepAliveTimeout, 'A packet did not arrive in time.');
    this.#partial ??= setTimeout(() => this.#refuse(late), limits.packetMilliseconds).unref();
  }

  #refuse(ends: Ends): void {
    if (this.#isEnding) return;
    this.#options.onRefused(ends.message);
    this.#end(ends);
  }

  #end({ code, message }: Ends): void {
    if (this.#isEnding) return;
    if (this.#connect && this.#codec.isVersion5) {
      void this.#send({ cmd: 'disconnect', reasonCode: code }, message);
    }
    this.#linger();
  }

  #linger(): void {
    const { socket } = this.#options;
    this.#isEnding = true;
    socket.end();
    setTimeout(() => socket.destroy(), limits.lingerMilliseconds).unref();
  }
}

const bytesOf = (payload: string | Buffer): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload) : payload;

/** The first byte of a CONNECT. */
const connectByte = 0x10;
const disconnectWithWill = 0x04;
const noSubscriptions = 'Messages are taken here, none are given out.';
const wrongKey = 'The key is missing or wrong: it is the password, with any user name.';
