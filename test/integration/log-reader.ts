/** A reader of the log of an instance, over WebSocket. */
import { createClient as createSocket } from 'graphql-ws';
import { onTestFinished } from 'vitest';
import WebSocket from 'ws';
import type { Target } from './answers.ts';

export interface LogLine {
  readonly number: number;
  readonly text: string;
  readonly run: string;
}

export interface LogReader {
  readonly lines: LogLine[];
  /** The error that it ended with. */
  readonly failed: () => { message: string; extensions: Record<string, unknown> } | undefined;
  close(): void;
}

/** Reads `instanceLogs` of an instance through this server; ends with the test. */
export function followLog({ url, token }: Target, key: string, tail: number): LogReader {
  const client = createSocket({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
  });
  const lines: LogLine[] = [];
  let errors: ReturnType<LogReader['failed']>[] = [];
  client.subscribe<{ instanceLogs: LogLine }>(
    {
      query: `subscription { instanceLogs(instance: "${key}", tail: ${tail}) { number text run } }`,
    },
    {
      next(answer) {
        if (answer.data) lines.push(answer.data.instanceLogs);
        else errors = answer.errors as unknown as typeof errors;
      },
      error(error) {
        errors = error as typeof errors;
      },
      complete() {},
    },
  );
  const close = () => void client.dispose();
  onTestFinished(close);
  return { lines, failed: () => errors[0], close };
}
