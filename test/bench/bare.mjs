/**
 * What the server is held against: a program of Node alone that answers HTTP, and opens a store where it is
 * told to, with the same package as the server.
 *
 *     node bare.mjs PORT [pglite FOLDER | postgres URL]
 */
import { createServer } from 'node:http';

const [port, kind, where] = process.argv.slice(2);

async function openStore() {
  if (kind === 'pglite') {
    const { PGlite } = await import('@electric-sql/pglite');
    const keepLoop = setInterval(() => {}, 1000); // Compiling WebAssembly does not keep it alive.
    const database = await PGlite.create(where);
    clearInterval(keepLoop);
    await database.query('select 1');
    return () => database.close();
  }
  if (kind === 'postgres') {
    const { default: postgres } = await import('postgres');
    const sql = postgres(where, { onnotice: () => {} });
    await sql`select 1`;
    return () => sql.end();
  }
  return () => undefined;
}

const closeStore = await openStore();
const server = createServer((_, response) => response.end('ok'));
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', async () => {
  server.close();
  server.closeAllConnections();
  await closeStore();
  process.exit(0);
});
