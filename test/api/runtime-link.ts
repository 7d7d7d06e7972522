/** A server of a fleet's store, and the connection of a runtime to it, as the runtime opens it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { createLoaders } from '../../src/api/base/context.ts';
import { defaultLimits } from '../../src/api/base/limits.ts';
import { parseConfig } from '../../src/config.ts';
import { type Api, createApi } from '../../src/runtime/api.ts';
import { openConnection } from '../../src/runtime/connection.ts';
import { createLog } from '../../src/runtime/log.ts';
import type { RuntimeCommand } from '../../src/runtime/protocol.ts';
import { createHttpServer, type HttpServer } from '../../src/server/server.ts';
import { createRunKey } from '../../src/store/access-keys.ts';
import { testSettings } from './api-server.ts';
import type { Fleet } from './fleet.ts';

export interface Run {
  readonly organizationId: string;
  readonly runId: string;
  readonly instanceId: string;
}

/** A server of the fleet's store on a port of its own. */
export async function startServer(
  fleet: Fleet,
): Promise<HttpServer & { readonly url: string; readonly dataDir: string }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'im-link-'));
  const server = createHttpServer({
    config: { ...parseConfig(testSettings), dataDir, adminToken: 'a'.repeat(40) },
    store: fleet.store,
    schema: fleet.schema,
    createContext: (viewer, request) => ({
      ...fleet.context(),
      ...{ viewer, request, loaders: createLoaders() },
      server: { version: '0.0.0', schemaVersion: 3, limits: defaultLimits },
    }),
    log: pino({ level: 'silent' }),
    version: '0.0.0-test',
    ready: async () => true,
  });
  const { url } = await server.start();
  onTestFinished(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return Object.assign(server, { url, dataDir });
}

/** The API as a runtime of this run uses it, over a connection to the address. */
export async function connectRuntime(
  fleet: Fleet,
  { url, run }: { url: string; run: Run },
  onCommand: (command: RuntimeCommand) => void = () => {},
): Promise<Api> {
  const { key: runKey } = await createRunKey(fleet.store, run);
  const connection = openConnection({
    endpoints: async () => [`${url.replace('http', 'ws')}/graphql`],
    authorities: null,
    ...{ runKey, log: createLog(() => {}), onCommand },
    onConnected: () => api.reportOnline(),
    onRunEnded: () => {},
  });
  const api = createApi(run.runId, connection);
  onTestFinished(() => connection.close());
  return api;
}
