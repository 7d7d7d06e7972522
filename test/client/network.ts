/** A network between client and server that can be cut, stalled and mended. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Network {
  /** `http://127.0.0.1:<port>`, the same for as long as it lives. */
  readonly url: string;
  /** Connections so far, refused ones too. */
  readonly connections: number;
  /** Connections that are open. */
  readonly open: number;
  /** Refuses whoever comes, until `mend`. */
  refuse(): void;
  /** Cuts what is open, or of that the one of this number (modulo how many there are). */
  cut(which?: number): void;
  /** Cuts each connection behind so many bytes of the server, wherever in a frame that is. */
  cutBehind(bytes: number | null): void;
  /** Holds back what the server sends over the connections that are open, or one; new ones work. */
  stall(which?: number): void;
  /** Lets go of what was held back, and of refusing. */
  mend(): void;
}

/**
 * Starts one; it ends with the test. The target is read at each connection.
 *
 * @param path a socket to listen on, before a target like `unix:///…`
 */
export async function startNetwork(
  target: { readonly url: string },
  path?: string,
): Promise<Network> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let connections = 0;
  let refusing = false;
  let most: number | null = null;
  // A Docker client ends its input, and goes on reading.
  const allowHalfOpen = path !== undefined;
  const listener = createServer({ allowHalfOpen }, (client) => {
    connections += 1;
    client.on('error', () => {});
    if (refusing) return client.destroy();
    const { protocol, hostname, port, pathname } = new URL(target.url);
    const server =
      protocol === 'unix:'
        ? connect({ path: pathname, allowHalfOpen })
        : connect({ port: Number(port), host: hostname, allowHalfOpen });
    const pair = { client, server };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    server.on('error', end).on('close', end);
    client.on('close', end);
    if (allowHalfOpen) server.on('end', () => client.end());
    client.pipe(server);
    let left = most;
    server.on('data', (bytes) => {
      if (left === null) return client.write(bytes);
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) client.end(end);
    });
  });
  if (path) listener.listen(path);
  else listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  onTestFinished(() => {
    for (const { client, server } of pairs) {
      client.destroy();
      server.destroy();
    }
    listener.close();
  });
  function chosen(which: number | undefined): { client: Socket; server: Socket }[] {
    const all = [...pairs];
    return which === undefined ? all : all.splice(which % Math.max(all.length, 1), 1);
  }

  return {
    url: path ? `unix://${path}` : `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get connections() {
      return connections;
    },
    get open() {
      return pairs.size;
    },
    refuse() {
      refusing = true;
    },
    cut(which) {
      for (const { client } of chosen(which)) {
        if (path) client.destroy();
        else client.resetAndDestroy();
      }
    },
    cutBehind(bytes) {
      most = bytes;
    },
    stall(which) {
      for (const { server } of chosen(which)) server.pause();
    },
    mend() {
      refusing = false;
      for (const { server } of pairs) server.resume();
    },
  };
}
