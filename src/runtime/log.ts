/**
 * The log of a runtime: to stdout, and to the working storage once it is known: SQLite in the work
 * folder (LOCAL) or the API (CLOUD). Each line has a number within the run. Everything is bounded;
 * one line says how many were dropped, in their place.
 */
import type { LogLine } from './log-line.ts';
import { openSqlite } from './sqlite.ts';
import { createWaitingLines } from './waiting-lines.ts';

/** The destination of lines. */
export interface LogStorage {
  append(line: LogLine): void;
  /** Resolves when everything appended is stored. */
  flushed(): Promise<void>;
  /** Returns the lines that are not stored, oldest first. */
  close(): LogLine[];
}

export interface Log {
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  /** Lines go there from now on, starting with those written before. */
  keepIn(storage: LogStorage): void;
  flushed(): Promise<void>;
  close(): void;
}

const lineCharacters = 4_000;
const earlyAtOnce = { items: 1_000, bytes: 1024 * 1024 };
const localRows = 50_000;
const pruneEvery = 1_000;

/** A log that goes to `print`, and keeps its first lines until it gets a storage. */
export function createLog(print: (text: string) => void): Log {
  const early = createWaitingLines();
  let number = 0;
  let storage: LogStorage | undefined;
  function write(level: LogLine['level'], text: string): void {
    number += 1;
    const line = { number, at: new Date().toISOString(), level, text: escapeControl(text) };
    print(`${line.at} ${level} ${line.text}\n`);
    if (storage !== undefined) append(storage, line);
    else early.append(line);
  }
  function append(to: LogStorage, line: LogLine): void {
    try {
      to.append(line);
    } catch (error) {
      // A full disk must not end the runtime; the line was printed.
      print(`${line.at} ERROR The log cannot be kept: ${String(error)}\n`);
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
    },
    flushed: async () => await storage?.flushed(),
    close: () => void storage?.close(),
  };
}

/** Stores the newest lines in `logs.db` of the work folder. */
export async function openLocalLogs(folder: string): Promise<LogStorage> {
  const table =
    'create table if not exists logs ' +
    '(id integer primary key, at text not null, level text not null, text text not null)';
  const database = await openSqlite(folder, 'logs.db', table);
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
    close() {
      database.close();
      return [];
    },
  };
}

function escapeControl(text: string): string {
  const escaped = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return escaped.length <= lineCharacters ? escaped : `${escaped.slice(0, lineCharacters - 1)}…`;
}
