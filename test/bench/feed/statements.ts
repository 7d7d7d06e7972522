/**
 * Counts the statements that a node sends to its PostgreSQL, by their text: a way there that reads
 * along what the frontend says.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Statements {
  /** The address of the database, through here. */
  readonly url: string;
  /** How often each text was run since the last call. */
  take(): Map<string, number>;
  close(): Promise<void>;
}

/** Opens a way to a database, without TLS. */
export async function countStatements(databaseUrl: string): Promise<Statements> {
  const target = new URL(databaseUrl);
  let counts = new Map<string, number>();
  const open = new Set<Socket>();
  const count = (text: string) => counts.set(text, (counts.get(text) ?? 0) + 1);

  const server = createServer((client) => {
    const upstream = connect(Number(target.port || 5432), target.hostname);
    const read = reader(count);
    client.on('data', read);
    client.pipe(upstream);
    upstream.pipe(client);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = `${typeof address === 'object' ? address?.port : 0}`;
  return {
    url: url.href,
    take() {
      const taken = counts;
      counts = new Map();
      return taken;
    },
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Reads messages of the frontend: the first has no type, then a byte and a length each. */
function reader(count: (text: string) => void): (chunk: Buffer) => void {
  const texts = new Map<string, string>();
  let rest = Buffer.alloc(0);
  let begun = false;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = begun ? 1 : 0;
      if (rest.length < head + 4) return;
      const size = head + rest.readInt32BE(head);
      if (rest.length < size) return;
      const body = rest.subarray(head + 4, size);
      const type = begun ? String.fromCharCode(rest[0] ?? 0) : '';
      begun = true;
      const [first = '', second = ''] = body.toString('latin1').split('\0', 2);
      if (type === 'P') texts.set(first, second);
      else if (type === 'B') count(texts.get(second) ?? '?');
      else if (type === 'Q') count(first);
      rest = rest.subarray(size);
    }
  };
}
