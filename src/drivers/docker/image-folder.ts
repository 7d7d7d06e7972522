/** The folder that the image of the runtime is built in. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleProgram } from '../process/bundle.ts';
import { compileProgram } from '../process/compile.ts';

/** Writes a program, by its name or the path of its source, so that every user may read it. */
export async function writeProgram(source: string, folder: string): Promise<void> {
  const cache = mkdtempSync(join(tmpdir(), 'im-program-'));
  try {
    cpSync(bundleProgram(await compileProgram(source), cache).folder, folder, { recursive: true });
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
}

/** What the Dockerfile copies: the runtime, and the empty folder of its work. */
export async function writeImageFolder(folder: string): Promise<void> {
  await writeProgram('runtime', join(folder, 'runtime'));
  mkdirSync(join(folder, 'work'));
}
