/**
 * The runtime's side of the API as tests need it: the contract of `schema/`, served over
 * graphql-ws, with what it heard and what it says in the hands of the test. One controlPlane can be served
 * on several addresses, one after the other, as a server that moves.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { loadSchemaSdl } from '../../schema/load.ts';
import type { LogLine } from '../../src/runtime/log-line.ts';
import type {
  CommandResult,
  DeviceValue,
  Endpoint,
  RuntimeCommand,
  RuntimeLimits,
} from '../../src/runtime/protocol.ts';

export type Completion = CommandResult & { readonly command: string; readonly run: string };

export interface Report {
  readonly report: 'ONLINE' | 'HEARTBEAT' | 'FAULT';
  readonly message?: string;
  readonly counters?: Record<string, number>;
}

/** Calls it when the test is over. Of tests that run at the same time each passes on its own `onTestFinished`. */
export type Finish = typeof onTestFinished;

export interface ControlPlane {
  readonly run: string;
  readonly runKey: string;
  readonly reports: Report[];
  readonly completions: Completion[];
  readonly values: DeviceValue[];
  readonly logs: LogLine[];
  /** What the API takes; told in the answer to ONLINE. */
  limits: RuntimeLimits;
  /** What the API has of devices, when it is asked. */
  known: DeviceValue[];
  /** What mutations answer where it is set; default: accepted. */
  refusal: { code: string; message: string; retryable: boolean } | undefined;
  /** Why a report of values is refused; undefined where it is taken. */
  refusedValues: ((values: readonly DeviceValue[]) => string | undefined) | undefined;
  /** Called with each completion before it is taken. */
  onCompletion: (() => void) | undefined;
  /** Serves the controlPlane at a new address, or on a Unix socket. */
  listen(
    finish?: Finish,
    socket?: string,
  ): Promise<{ readonly url: string; close(): Promise<void>; cut(): void }>;
  /** Gives a command; resolves with its first completion. */
  command(kind: RuntimeCommand['kind'], payload?: object): Promise<Completion>;
  /** Resolves when the condition holds; it is asked again whenever the controlPlane hears something. */
  until(condition: () => boolean): Promise<void>;
}

const { schema } = loadSchemaSdl();
let commandNumber = 0;
/** What the API takes in one message. */
const maxPayload = 1024 * 1024;

/** A controlPlane that nobody is in yet. */
export function createControlPlane(): ControlPlane {
  const open: RuntimeCommand[] = [];
  const streams = new Set<(command: RuntimeCommand) => void>();
  const waiters: (() => void)[] = [];
  const heard = () => {
    for (const waiter of waiters.splice(0)) waiter();
  };
  const accepted = () => {
    heard();
    const { refusal } = controlPlane;
    return refusal === undefined
      ? { __typename: 'RuntimeReportAccepted', limits: controlPlane.limits }
      : { __typename: 'RuntimeReportRefused', ...refusal };
  };
  const root = {
    reportRuntime: ({ input }: { input: Report }) => {
      controlPlane.reports.push(input);
      return accepted();
    },
    reportDeviceValues: ({ input }: { input: { values: DeviceValue[] } }) => {
      const message = controlPlane.refusedValues?.(input.values);
      if (message !== undefined) {
        heard();
        return { __typename: 'InvalidInput', code: 'INVALID_INPUT', message, issues: [] };
      }
      controlPlane.values.push(...input.values);
      return accepted();
    },
    reportLogs: ({ input }: { input: { lines: LogLine[] } }) => {
      controlPlane.logs.push(...input.lines);
      return accepted();
    },
    completeRuntimeCommand: ({ input }: { input: Completion }) => {
      controlPlane.completions.push(input);
      controlPlane.onCompletion?.();
      if (controlPlane.refusal !== undefined) return accepted();
      heard();
      const at = open.findIndex(({ id }) => id === input.command);
      const command = { id: input.command };
      if (controlPlane.onCompletion === undefined && at !== -1) open.splice(at, 1);
      return { __typename: 'RuntimeCommandCompleted', command };
    },
    runtimeDeviceValues: ({ device, after }: { device: string; after: string | null }) =>
      controlPlane.known
        .filter((value) => value.device === device && value.field > (after ?? ''))
        .slice(0, 1),
    runtimeCommands: () => stream(open, streams),
    // Nobody reads the log.
    runtimeLogWatch: () => stream([], new Set()),
  };
  const controlPlane: ControlPlane = {
    run: 'run-1',
    runKey: 'key-of-run-1',
    reports: [],
    completions: [],
    values: [],
    logs: [],
    limits: {
      reportBytes: maxPayload / 4,
      valuesPerReport: 500,
      valueBytes: 65_536,
      logLinesPerReport: 500,
      textCharacters: 4_000,
    },
    known: [],
    refusal: undefined,
    refusedValues: undefined,
    onCompletion: undefined,
    async listen(finish = onTestFinished, socket) {
      const http = createServer();
      const sockets = new WebSocketServer({ server: http, path: '/graphql', maxPayload });
      const server = useServer(
        {
          schema,
          roots: { query: root, mutation: root, subscription: root },
          onConnect: ({ connectionParams }) =>
            connectionParams?.authorization === `Bearer ${controlPlane.runKey}`,
        },
        sockets,
      );
      await new Promise<void>((resolve) =>
        socket === undefined ? http.listen(0, '127.0.0.1', resolve) : http.listen(socket, resolve),
      );
      let closed: Promise<void> | undefined;
      const close = () => {
        closed ??= (async () => {
          await server.dispose();
          http.closeAllConnections();
          await new Promise((resolve) => http.close(resolve));
        })();
        return closed;
      };
      finish(close);
      return {
        url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
        close,
        cut: () => {
          for (const socket of sockets.clients) socket.terminate();
        },
      };
    },
    async command(kind, payload = {}) {
      commandNumber += 1;
      const id = `command-${commandNumber}`;
      const command = { id, kind, run: controlPlane.run, payload };
      open.push(command);
      for (const push of streams) push(command);
      const found = () => controlPlane.completions.find((completion) => completion.command === id);
      await controlPlane.until(() => found() !== undefined);
      return found()!;
    },
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
    },
  };
  return controlPlane;
}

/** The open commands, then each new one. */
function stream(open: RuntimeCommand[], streams: Set<(command: RuntimeCommand) => void>) {
  const waiting = [...open];
  let wake: () => void = () => {};
  let ended = false;
  const push = (command: RuntimeCommand) => {
    waiting.push(command);
    wake();
  };
  streams.add(push);
  const end = async () => {
    ended = true;
    streams.delete(push);
    wake();
    return { done: true as const, value: undefined };
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (waiting.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const command = waiting.shift();
      if (command === undefined) return { done: true as const, value: undefined };
      return { done: false as const, value: { runtimeCommands: command } };
    },
    return: end,
    throw: end,
  };
}

/** The endpoint of that name. */
export function endpointOf(completion: Completion, name: string): Endpoint {
  const found = completion.endpoints?.find((endpoint) => endpoint.name === name);
  if (found === undefined) throw new Error(`no endpoint ${name}: ${JSON.stringify(completion)}`);
  return found;
}
