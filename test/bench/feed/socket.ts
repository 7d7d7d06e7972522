/**
 * A WebSocket client as thin as it can be, so that thousands in one process cost little: it hops from
 * frame to frame in the buffer that was read, and hands out places in it.
 */
import { connect } from 'node:net';

export interface ThinSocket {
  send(text: string): void;
  /** Stops to read, for good. */
  stall(): void;
  /** Goes away without a word. */
  destroy(): void;
}

export interface Handlers {
  onOpen(): void;
  /** A text frame; the buffer is used again as soon as this returns. */
  onText(data: Buffer, from: number, to: number): void;
  /** Once, however it ended: the close frame's code and reason, or the refusing status, or 1006. */
  onClose(why: string): void;
}

const shared = Buffer.alloc(256 * 1024);
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Connects. Whole frames alone are handed out; messages in several frames are not understood. */
export function openSocket(
  { url, protocol }: { url: string; protocol: string | null },
  handlers: Handlers,
): ThinSocket {
  const { hostname, port, host } = new URL(url);
  let rest: Buffer | null = null;
  let open = false;
  let why = '1006';
  const socket = connect({
    host: hostname,
    port: Number(port),
    noDelay: true,
    onread: {
      buffer: shared,
      callback(length, buffer) {
        take(buffer as Buffer, length);
        return true;
      },
    },
  });
  socket.on('connect', () => {
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
        `${protocol ? `Sec-WebSocket-Protocol: ${protocol}\r\n` : ''}\r\n`,
    );
  });
  socket.on('error', () => {});
  socket.on('close', () => handlers.onClose(why));

  function take(chunk: Buffer, length: number): void {
    let data = chunk;
    let end = length;
    if (rest) {
      data = Buffer.concat([rest, chunk.subarray(0, length)]);
      end = data.length;
      rest = null;
    }
    let at = open ? 0 : upgraded(data, end);
    while (end - at >= 2) {
      let size = (data[at + 1] as number) & 127;
      let head = 2;
      if (size === 126) {
        if (end - at < 4) break;
        size = data.readUInt16BE(at + 2);
        head = 4;
      } else if (size === 127) {
        if (end - at < 10) break;
        size = data.readUInt32BE(at + 6);
        head = 10;
      }
      const from = at + head;
      const to = from + size;
      if (to > end) break;
      const opcode = (data[at] as number) & 15;
      if (opcode === TEXT) handlers.onText(data, from, to);
      else if (opcode === PING) write(PONG, data.subarray(from, to));
      else if (opcode === CLOSE) {
        if (size >= 2) why = `${data.readUInt16BE(from)} ${data.toString('utf8', from + 2, to)}`;
        socket.destroy();
      }
      at = to;
    }
    if (at < end) rest = Buffer.from(data.subarray(at, end));
  }

  /** Where the frames begin; 0 while the answer to the upgrade is not whole. */
  function upgraded(data: Buffer, end: number): number {
    const head = data.toString('latin1', 0, end);
    const blank = head.indexOf('\r\n\r\n');
    if (blank < 0) {
      // Not whole: kept by the caller, for there are no frames of this length.
      rest = Buffer.from(data.subarray(0, end));
      return end;
    }
    if (!head.startsWith('HTTP/1.1 101')) {
      why = head.slice(9, 12);
      socket.destroy();
      return end;
    }
    open = true;
    handlers.onOpen();
    return blank + 4;
  }

  /** Masked with zeros, which masks nothing and is allowed. */
  function write(opcode: number, payload: Buffer): void {
    const size = payload.length;
    const head = Buffer.alloc(size < 126 ? 6 : 8);
    head[0] = 0x80 | opcode;
    if (size < 126) head[1] = 0x80 | size;
    else {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(size, 2);
    }
    socket.write(Buffer.concat([head, payload]));
  }

  return {
    send: (text) => write(TEXT, Buffer.from(text)),
    stall: () => socket.pause(),
    destroy: () => socket.destroy(),
  };
}
