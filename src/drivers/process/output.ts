/** The output of a program: a file of bounded size, whose end is shown to people. */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from 'node:fs';
import { escapeTail, tailBytes } from '../log-tail.ts';

const outputCapBytes = 1024 * 1024;
const outputKeptBytes = 256 * 1024;

/** The last lines of a file, 4 KiB at most, control characters escaped; empty without a file. */
export function readTail(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - tailBytes);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    const length = readSync(file, buffer, 0, buffer.length, from);
    return escapeTail(buffer.toString('utf8', 0, length), from > 0);
  } finally {
    closeSync(file);
  }
}

/**
 * Truncates an output of more than 1 MiB to its last 256 KiB. Lines written at that very moment may
 * be lost; the writer is not affected.
 */
export function capOutput(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= outputCapBytes) return;
  const file = openSync(path, 'r+');
  try {
    const kept = Buffer.alloc(outputKeptBytes);
    const length = readSync(file, kept, 0, kept.length, size - kept.length);
    ftruncateSync(file, 0);
    writeSync(file, kept, 0, length, 0);
  } finally {
    closeSync(file);
  }
}
