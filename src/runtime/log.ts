/**
 * The log of a runtime: to stdout, and to the working storage once it is known: a file in the work
 * folder (LOCAL) or the API (CLOUD). Each line has a number within the run. Everything is bounded;
 * one line says how many were dropped, in their place.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { LogLine } from './log-line.ts';
import { createWaitingLines } from './waiting-lines.ts';

/** The destination of lines. */
export interface LogStorage {
  append(line: LogLine): void;
  /** Resolves when everything appended is stored. */
  flushed(): Promise<void>;
  /** The newest lines of this run, oldest first, where they are kept here. */
  newest?(): LogLine[];
  /** Returns the lines that are not stored, oldest first. */
  close(): LogLine[];
}

/** Opens a storage that gets a copy of the lines, these first. */
export type OpenLogCopy = (newest: readonly LogLine[]) => LogStorage;

export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** Lines go there from now on, starting with those written before. */
  keepIn(storage: LogStorage): void;
  /** Copies the lines as long as they are kept here; null: no more. */
  copyTo(open: OpenLogCopy | null): void;
  flushed(): Promise<void>;
  close(): void;
}

const lineCharacters = 4_000;
const earlyAtOnce = { items: 1_000, bytes: 1024 * 1024 };
/** Of the file that lines are appended to; the one before has as many. */
const localBytes = 8 * 1024 * 1024;
/** Of the newest lines, which are read at once. */
const newest = { lines: 1_000, bytes: 1024 * 1024 };

/** A log that goes to `print`, and keeps its first lines until it gets a storage. */
export function createLog(print: (text: string) => void): Log {
  const early = createWaitingLines();
  let number = 0;
  let storage: LogStorage | undefined;
  let copy: LogStorage | undefined;
  let openCopy: OpenLogCopy | null = null;
  function write(level: LogLine['level'], text: string): void {
    number += 1;
    const line = { number, at: new Date().toISOString(), level, text: escapeControl(text) };
    print(`${line.at} ${level} ${line.text}\n`);
    if (storage !== undefined) append(storage, line);
    else early.append(line);
    copy?.append(line);
  }
  function append(to: LogStorage, line: LogLine): void {
    try {
      to.append(line);
    } catch (error) {
      // A full disk must not end the runtime; the line was printed.
      print(`${line.at} ERROR The log cannot be kept: ${String(error)}\n`);
    }
  }
  function startCopy(): void {
    copy?.close();
    copy = undefined;
    if (openCopy === null || storage?.newest === undefined) return;
    try {
      copy = openCopy(storage.newest());
    } catch (error) {
      print(`${new Date().toISOString()} ERROR The log cannot be read: ${String(error)}\n`);
    }
  }
  return {
    info: (text) => write('INFO', text),
    warn: (text) => write('WARN', text),
    error: (text) => write('ERROR', text),
    keepIn(next) {
      for (const line of storage?.close() ?? []) append(next, line);
      storage = next;
      while (!early.isEmpty) {
        for (const line of early.take(earlyAtOnce)) append(next, line);
      }
      startCopy();
    },
    copyTo(open) {
      openCopy = open;
      startCopy();
    },
    flushed: async () => await storage?.flushed(),
    close() {
      copy?.close();
      storage?.close();
    },
  };
}

/**
 * Stores lines as JSON in `logs.jsonl` of the work folder. A full file becomes `logs.previous.jsonl`
 * and replaces the one before. No SQLite: an idle runtime has none of it in memory.
 */
export function openLocalLogs(folder: string): LogStorage {
  const path = join(folder, 'logs.jsonl');
  const open = () => openSync(path, 'a', 0o600);
  let file = open();
  let bytes = fstatSync(file).size;
  function startNextFile(): void {
    // It is missing if somebody removed it, or an earlier attempt could not open the next one.
    if (existsSync(path)) renameSync(path, join(folder, 'logs.previous.jsonl'));
    const full = file;
    file = open();
    bytes = 0;
    closeSync(full);
  }
  return {
    append(line) {
      if (bytes >= localBytes) startNextFile();
      const text = Buffer.from(`${JSON.stringify(line)}\n`);
      const written = writeSync(file, text);
      if (written < text.length) {
        // The next line would continue a part of this one.
        ftruncateSync(file, fstatSync(file).size - written);
        throw new Error('No room is left for it.');
      }
      bytes += written;
    },
    flushed: async () => {},
    newest: () => newestOf(readEnds([join(folder, 'logs.previous.jsonl'), path])),
    close() {
      closeSync(file);
      return [];
    },
  };
}

/** The ends of files that continue each other, together `newest.bytes` at most, from a whole line on. */
function readEnds(paths: readonly string[]): string {
  let text = '';
  for (const path of [...paths].reverse()) {
    const left = newest.bytes - Buffer.byteLength(text);
    if (left <= 0 || !existsSync(path)) break;
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(left, size));
      const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
      const isWhole = bytes.length === size;
      const from = isWhole ? 0 : bytes.indexOf('\n') + 1;
      text = bytes.toString('utf8', from, read) + text;
      if (!isWhole) break;
    } finally {
      closeSync(file);
    }
  }
  return text;
}

/** The lines of the run that wrote the last one: numbers begin again with each run. */
function newestOf(text: string): LogLine[] {
  const lines: LogLine[] = [];
  for (const json of text.split('\n').reverse()) {
    const line = parsedLine(json);
    if (line === null) continue;
    if (lines.length >= newest.lines || line.number >= (lines.at(-1)?.number ?? Infinity)) break;
    lines.push(line);
  }
  return lines.reverse();
}

/** Null: it is empty, or somebody has changed the file. */
function parsedLine(json: string): LogLine | null {
  try {
    const line: LogLine = JSON.parse(json);
    return Number.isSafeInteger(line.number) && typeof line.text === 'string' ? line : null;
  } catch {
    return null;
  }
}

function escapeControl(text: string): string {
  const escaped = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return escaped.length <= lineCharacters ? escaped : `${escaped.slice(0, lineCharacters - 1)}…`;
}
