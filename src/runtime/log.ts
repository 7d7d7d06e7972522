/**
 * The log of a runtime: to stdout, and to the working storage once it is known: SQLite in the work
 * folder (LOCAL) or the API (CLOUD). Bounded everywhere; what is dropped is counted and said.
 */
import type { Api } from './api.ts';
import { createOutbox } from './outbox.ts';
import { openSqlite } from './sqlite.ts';

export interface LogLine {
  readonly at: string;
  readonly level: 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  readonly text: string;
}

/** Where lines go. */
export interface LogStorage {
  append(line: LogLine): void;
  /** Resolves when what was appended is kept. */
  flushed(): Promise<void>;
  close(): void;
}

export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** From now on lines go there, those written before first. */
  keepIn(storage: LogStorage): void;
  flushed(): Promise<void>;
  close(): void;
}

const lineCharacters = 4_000;
const earlyLines = 1_000;
const cloudLines = 5_000;
const localRows = 50_000;
const pruneEvery = 1_000;

/** A log that goes to `print` and remembers its first lines until it gets a storage. */
export function createLog(print: (text: string) => void): Log {
  const early: LogLine[] = [];
  let storage: LogStorage | undefined;
  function write(level: LogLine['level'], text: string): void {
    const line = { at: new Date().toISOString(), level, text: escapeControl(text) };
    print(`${line.at} ${level} ${line.text}\n`);
    if (storage !== undefined) append(storage, line);
    else early.push(line);
    if (early.length > earlyLines) early.shift();
  }
  function append(to: LogStorage, line: LogLine): void {
    try {
      to.append(line);
    } catch (error) {
      // A full disk must not end the runtime: the line was printed.
      print(`${line.at} ERROR The log cannot be kept: ${String(error)}\n`);
    }
  }
  return {
    info: (text) => write('INFO', text),
    warn: (text) => write('WARN', text),
    error: (text) => write('ERROR', text),
    keepIn(next) {
      storage?.close();
      storage = next;
      for (const line of early.splice(0)) append(next, line);
    },
    flushed: async () => await storage?.flushed(),
    close: () => storage?.close(),
  };
}

/** Keeps lines through the API; of more than it can hold the oldest are dropped. */
export function createCloudLogs(api: Api): LogStorage {
  let sequence = 0;
  let dropped = 0;
  const outbox = createOutbox<LogLine>({
    capacity: cloudLines,
    // One less than the API takes: room for the line that says what was dropped.
    batchItems: 499,
    send: async (lines) => {
      const before = dropped;
      const at = new Date().toISOString();
      const text = `${before} older lines were dropped: the API could not be reached in time.`;
      const said: LogLine[] = before > 0 ? [{ at, level: 'WARN', text }] : [];
      await api.reportLogs([...said, ...lines]);
      dropped -= before;
    },
  });
  return {
    append(line) {
      if (outbox.room() === 0) {
        outbox.dropOldest();
        dropped += 1;
      }
      sequence += 1;
      outbox.put(String(sequence), line);
    },
    flushed: () => outbox.flushed(),
    close: () => outbox.close(),
  };
}

/** Keeps the newest lines in `logs.db` of the work folder. */
export function openLocalLogs(folder: string): LogStorage {
  const table =
    'create table if not exists logs ' +
    '(id integer primary key, at text not null, level text not null, text text not null)';
  const database = openSqlite(folder, 'logs.db', table);
  const insert = database.prepare('insert into logs (at, level, text) values (?, ?, ?)');
  const prune = database.prepare('delete from logs where id <= (select max(id) from logs) - ?');
  let sincePrune = pruneEvery;
  return {
    append(line) {
      insert.run(line.at, line.level, line.text);
      sincePrune += 1;
      if (sincePrune < pruneEvery) return;
      sincePrune = 0;
      prune.run(localRows);
    },
    flushed: async () => {},
    close: () => database.close(),
  };
}

function escapeControl(text: string): string {
  const escaped = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return escaped.length <= lineCharacters ? escaped : `${escaped.slice(0, lineCharacters - 1)}…`;
}
