/** The metrics for Prometheus: requests, operations, open sockets, the process and its version. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  readonly registry: Registry;
  /** One HTTP request whose response was sent. */
  request(route: string, method: string, status: number): void;
  /** One operation that has ended or was refused. */
  operation(transport: string, kind: string, outcome: Outcome): void;
  /** One operation that begins; the function ends it. */
  started(transport: string, kind: string): (outcome: Outcome) => void;
  socketOpened(): void;
  socketClosed(code: number): void;
  signInFailed(): void;
}

export type Outcome = 'ok' | 'errors' | 'refused';

/** The metrics of one server; `version` is that of the package. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'instance_manager_build_info',
    help: 'Version of the package and of Node; always 1.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version, node: process.version }, 1);
  const requests = new Counter({
    name: 'instance_manager_http_requests_total',
    help: 'HTTP responses sent.',
    labelNames: ['route', 'method', 'status'],
    registers,
  });
  const operations = new Counter({
    name: 'instance_manager_operations_total',
    help: 'GraphQL operations that have ended.',
    labelNames: ['transport', 'kind', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'instance_manager_operation_seconds',
    help: 'Time that queries and mutations took.',
    labelNames: ['transport', 'kind'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const open = new Gauge({
    name: 'instance_manager_open_operations',
    help: 'GraphQL operations in progress.',
    labelNames: ['transport', 'kind'],
    registers,
  });
  const sockets = new Gauge({
    name: 'instance_manager_websockets',
    help: 'WebSockets that are open.',
    registers,
  });
  const closed = new Counter({
    name: 'instance_manager_websockets_closed_total',
    help: 'WebSockets that were closed, by close code.',
    labelNames: ['code'],
    registers,
  });
  const failures = new Counter({
    name: 'instance_manager_sign_in_failures_total',
    help: 'Tokens, sessions and codes that were wrong.',
    registers,
  });
  const operation: Metrics['operation'] = (transport, kind, outcome) =>
    operations.inc({ transport, kind, outcome });
  return {
    registry,
    operation,
    request: (route, method, status) => requests.inc({ route, method, status }),
    started(transport, kind) {
      const end = kind === 'subscription' ? null : seconds.startTimer({ transport, kind });
      open.inc({ transport, kind });
      return (outcome) => {
        open.dec({ transport, kind });
        end?.();
        operation(transport, kind, outcome);
      };
    },
    socketOpened: () => sockets.inc(),
    socketClosed(code) {
      sockets.dec();
      closed.inc({ code });
    },
    signInFailed: () => failures.inc(),
  };
}
