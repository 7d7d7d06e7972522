/**
 * What a runtime is told at its start and nobody else may read: one line of JSON, by stdin or in a
 * file. It has the key of the run, and what was not known before its container had started.
 */
import { createReadStream } from 'node:fs';
import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { ConfigError } from './config.ts';

/** Where something that listens is reached from outside. */
export interface Published {
  readonly address: string;
  readonly port: number;
}

export interface StartMessage {
  readonly runKey: string;
  /** By the names of listeners; without an entry a listener is reached where it listens. */
  readonly published: ReadonlyMap<string, Published>;
  /** PEM of authorities to trust beside the public ones; null: none, or the environment has them. */
  readonly authorities: string | null;
}

const lineCharacters = 1024 * 1024;
/** A server that was replaced in the middle of a start sends it again. */
const timeoutMilliseconds = 30_000;

/** Reads the message from the file that RUNTIME_KEY_FILE names, otherwise from this input. */
export async function readStartMessage(
  env: Readonly<Record<string, string | undefined>>,
  stdin: Readable,
): Promise<StartMessage> {
  const file = env.RUNTIME_KEY_FILE ?? '';
  if (file === '') return readMessage(stdin, 'stdin');
  try {
    return await readMessage(createReadStream(file), file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const reason = (error as Error).message;
    throw new ConfigError(`RUNTIME_KEY_FILE names a file that cannot be read: ${reason}.`);
  }
}

/** Reads `{"runKey":"…"}`, the first line. What follows it is left unread. */
async function readMessage(input: Readable, name: string): Promise<StartMessage> {
  const seconds = timeoutMilliseconds / 1000;
  const timer = setTimeout(
    () => input.destroy(new ConfigError(`No run key came by ${name} within ${seconds} s.`)),
    timeoutMilliseconds,
  );
  try {
    let text = '';
    for await (const chunk of input) {
      text += String(chunk);
      if (text.includes('\n') || text.length > lineCharacters) break;
    }
    const message = parse(text.split('\n', 1)[0] ?? '');
    if (message) return message;
    // Without the text, which may contain a part of the key.
    throw new ConfigError(`The first line of ${name} must be {"runKey":"…"}.`);
  } finally {
    clearTimeout(timer);
  }
}

function parse(line: string): StartMessage | null {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    return null;
  }
  if (!isRecord(given) || typeof given.runKey !== 'string' || given.runKey === '') return null;
  const published = new Map<string, Published>();
  for (const [listener, place] of Object.entries(given.published ?? {})) {
    if (!isPublished(place)) return null;
    published.set(listener, place);
  }
  const authorities = typeof given.authorities === 'string' ? given.authorities : null;
  return { runKey: given.runKey, published, authorities };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

const isPublished = (value: unknown): value is Published =>
  isRecord(value) &&
  typeof value.address === 'string' &&
  isIP(value.address) !== 0 &&
  Number.isInteger(value.port);
