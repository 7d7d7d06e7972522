/** The real runtime program as a child process, and requests to what it opens. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject, onTestFinished } from 'vitest';
import type { Endpoint } from '../../src/runtime/protocol.ts';
import type { ControlPlane, Finish } from './control-plane.ts';

export interface Program {
  readonly child: ChildProcess;
  readonly folder: string;
  /** Its exit code; the signal's name where a signal ended it. */
  readonly exit: Promise<number | string>;
  /** What it wrote to stdout and stderr so far. */
  output(): string;
}

/** A folder that is gone after the test. */
export async function temporaryFolder(finish: Finish = onTestFinished): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'runtime-'));
  finish(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts it with an explicit environment; `stdin` is the whole of its input. */
export async function startProgram(
  controlPlane: ControlPlane,
  env: Record<string, string>,
  {
    stdin = `${JSON.stringify({ runKey: controlPlane.runKey })}\n`,
    imports = [] as string[],
    folder: given = '',
    finish = onTestFinished,
  } = {},
): Promise<Program> {
  const folder = given || (await temporaryFolder(finish));
  const flags = imports.flatMap((module) => ['--import', module]);
  const child = spawn(process.execPath, [...flags, inject('runtimeFile')], {
    stdio: 'pipe',
    env: {
      PATH: process.env.PATH ?? '',
      RUNTIME_INSTANCE: 'instance-1',
      RUNTIME_RUN: controlPlane.run,
      RUNTIME_ADDRESS: '127.0.0.1',
      RUNTIME_WORK_FOLDER: folder,
      RUNTIME_HEARTBEAT_SECONDS: '0.2',
      ...env,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += String(chunk);
    });
  }
  const exit = new Promise<number | string>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  finish(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  return { child, folder, exit, output: () => output };
}

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON, text and bytes as they are. */
  readonly body?: unknown;
}

export interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** One request on a connection of its own. Rejects where nobody listens. */
export function ask({ address, port, path }: Endpoint, what: Ask = {}): Promise<Told> {
  const { body } = what;
  const text =
    body === undefined || typeof body === 'string' || body instanceof Buffer
      ? body
      : JSON.stringify(body);
  const json = text === undefined ? undefined : { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: address,
        port,
        agent: false,
        method: what.method ?? (text === undefined ? 'GET' : 'POST'),
        path: what.path ?? path,
        headers: { ...json, ...what.headers },
      },
      (response) => {
        let received = '';
        response.on('data', (chunk) => {
          received += String(chunk);
        });
        response.on('end', () => {
          const { statusCode = 0, headers } = response;
          resolve({ status: statusCode, headers, body: received && JSON.parse(received) });
        });
      },
    );
    sent.on('error', reject);
    sent.end(text);
  });
}

/** Resolves when nobody listens there any more. */
export async function untilClosed({ address, port }: Endpoint): Promise<void> {
  while (await listens(address, port));
}

/** Whether a connection is accepted there. */
export function listens(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** A message whose headers and half of whose body are sent. */
export async function beginMessage(
  { address, port, path }: Endpoint,
  body: object,
  finish: Finish = onTestFinished,
) {
  const text = JSON.stringify(body);
  const socket = connect(port, address);
  finish(() => void socket.destroy());
  // A runtime that ends may cut it off with a reset; `closed` tells what came before.
  socket.on('error', () => undefined);
  let received = '';
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(received)));
  const continued = new Promise((resolve) => socket.once('data', resolve));
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: ${address}:${port}\r\nContent-Type: application/json\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${text.length}\r\n\r\n`,
  );
  // The server's 100 says that it has taken the request.
  await continued;
  socket.write(text.slice(0, 10));
  return {
    closed,
    finish: () => socket.write(text.slice(10)),
    /** Goes on sending, a space at a time, and never ends the body. */
    drip() {
      const timer = setInterval(() => socket.write(' '), 200);
      socket.once('close', () => clearInterval(timer));
    },
  };
}
