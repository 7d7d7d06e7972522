/**
 * The protocol between the driver and the host agent over the Unix socket of the agent: one request
 * and one answer per connection, each one line of JSON. No command line and no path is sent: the
 * agent starts nothing but the runtime bundle in its work folder.
 */
import type { RuntimeObservation } from '../driver.ts';

/** A longer request or answer is refused. A log tail of 4 KiB escapes to 24 KiB at most. */
export const maxLineBytes = 64 * 1024;

/**
 * Time that the agent leaves its runtimes to end after SIGTERM. A runtime bounds the parts of its
 * end (`src/runtime/runtime.ts`) so that they add up to less.
 */
export const runtimeGraceMs = 9_000;

export interface StartRuntime {
  readonly instanceId: string;
  readonly runId: string;
  /** In clear; passed to the stdin of the runtime only. */
  readonly runKey: string;
  readonly endpoint: string;
  readonly heartbeatSeconds: number;
  readonly hostNames: readonly string[];
}

export interface RuntimeName {
  readonly instanceId: string;
  readonly runId: string;
}

/** Each command of the agent: its parameters and its answer. */
export interface Commands {
  /** Identifies the agent. */
  hello: { takes: object; answers: { readonly nonce: string } };
  /** The address of the API; the runtimes of the host read it when they reconnect. */
  setEndpoint: { takes: { readonly endpoint: string }; answers: object };
  startRuntime: { takes: StartRuntime; answers: { readonly imageDigest: string } };
  stopRuntime: { takes: RuntimeName; answers: object };
  killRuntime: { takes: RuntimeName; answers: object };
  inspectRuntime: { takes: RuntimeName; answers: RuntimeObservation };
}
export type CommandName = keyof Commands;

/** One request. `fence` is decimal, because JSON has no bigint. */
export type Request = {
  [Name in CommandName]: {
    readonly command: Name;
    readonly hostId: string;
    readonly fence: string;
    readonly body: Commands[Name]['takes'];
  };
}[CommandName];

export type Answer<Name extends CommandName = CommandName> =
  | { readonly ok: true; readonly body: Commands[Name]['answers'] }
  | { readonly ok: false; readonly error: WireError };

/** A `DriverError` as it is sent. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly logTail: string | null;
}
