/** Images of the runtime for engines of tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect } from 'vitest';
import {
  makeRootfs,
  nodeInImage,
  programInImage,
  type TestEngine,
} from '../harness/docker-engine.ts';
import { registryUser } from '../harness/registry.ts';

export const runtimeEntrypoint = [nodeInImage, programInImage('runtime')];

/** Makes the image of the runtime on the engine. */
export async function importRuntime(engine: TestEngine, name: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'im-image-'));
  try {
    await makeRootfs(folder, { runtime: 'runtime' });
    await engine.importImage(name, folder, runtimeEntrypoint);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Pushes an image of the engine to the registry in its name. Its digest there. */
export async function pushImage(engine: TestEngine, name: string): Promise<string> {
  const at = name.lastIndexOf(':');
  const authconfig = { ...registryUser, serveraddress: name.slice(0, name.indexOf('/')) };
  const pushed = await engine.docker.getImage(name).push({ authconfig, tag: name.slice(at + 1) });
  let text = '';
  for await (const chunk of pushed as Readable) text += String(chunk);
  expect(text).not.toContain('"error"');
  return /"Digest":"(sha256:[0-9a-f]{64})"/.exec(text)?.[1] ?? text;
}
