/** What a read over HTTP is held against: one prepared statement and `JSON.stringify` in a bare server. */
import { createServer, type IncomingMessage } from 'node:http';
import postgres from 'postgres';
import { answerWith } from './feed/process.ts';

const statement = `
  select key, name, state, sequence, desired as "desiredState", reachability,
         state_since as "stateSince"
    from instances where key = $1 and archived_at is null`;

const tasks = {
  /** Resolves with the address. */
  start(databaseUrl: string, connections: number): Promise<string> {
    const sql = postgres(databaseUrl, { max: connections, onnotice: () => {} });
    const server = createServer(async (request, response) => {
      const { variables } = JSON.parse(await textOf(request));
      const [instance] = await sql.unsafe(statement, [variables.instance], { prepare: true });
      const text = JSON.stringify({ data: { instance } });
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    });
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  },
};

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

export type BareReadServer = typeof tasks;

answerWith(tasks);
