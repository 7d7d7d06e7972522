/** What tests of drivers call them with. */
import { randomUUID } from 'node:crypto';
import type {
  Call,
  ContainerImage,
  HostRequest,
  RuntimeRequest,
} from '../../src/drivers/driver.ts';
import type { Resources } from '../../src/lifecycle/capacity.ts';

export const image: ContainerImage = { repository: 'runtime', image: 'runtime', tag: 'latest' };

const small: Resources = { cpus: 0.5, memoryBytes: 512 * 1024 ** 2 };

let lastFence = 0n;
/** A call with a greater token than any before, ended after 20 s. */
export function newCall(overrides: Partial<Call> = {}): Call {
  lastFence += 1n;
  return { fencingToken: lastFence, signal: AbortSignal.timeout(20_000), ...overrides };
}

/** A host that was never seen before. */
export function newHost(): HostRequest {
  const hostId = randomUUID();
  return { hostId, hostKey: `host-${hostId.slice(0, 8)}`, size: 'SMALL', resources: small };
}

/** The first run of a new instance. */
export function newRun(overrides: Partial<RuntimeRequest> = {}): RuntimeRequest {
  const instanceId = randomUUID();
  return {
    instanceId,
    instanceKey: `instance-${instanceId.slice(0, 8)}`,
    runId: randomUUID(),
    runKey: `key-${randomUUID()}`,
    endpoint: 'ws://127.0.0.1:9/graphql',
    authorities: null,
    heartbeatSeconds: 5,
    image,
    hostNames: [],
    ports: [],
    resources: small,
    ...overrides,
  };
}
