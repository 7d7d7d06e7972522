/**
 * `npm run image`: builds the image of the runtime, or of the server, by the docker command, on the engine
 * that it uses.
 * It is made for the platform of this machine, which the native part of SQLite is of.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { writeImageFolder } from './image-folder.ts';
import { writeServerFolder } from './server-folder.ts';

const usage = `npm run image -- [--server] [--tag NAME:TAG] [--base IMAGE] [--push]

  --server  the image of the server instead of the runtime
  --tag     what the image is called (instance-manager/runtime:1.0, instance-manager/server:1.0)
  --base    what it is made of: an image with node in its PATH (node:22-bookworm-slim)
  --push    pushes it to the registry that its name begins with
`;
const fileOf = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      server: { type: 'boolean', default: false },
      tag: { type: 'string' },
      base: { type: 'string' },
      push: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage, 0);
  if (process.platform !== 'linux') {
    return say('The image is of Linux, so it is made on Linux: run this in a container.\n', 1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'im-image-'));
  try {
    if (values.server) writeServerFolder(folder);
    else await writeImageFolder(folder);
    const dockerfile = fileOf(values.server ? 'Dockerfile.server' : 'Dockerfile');
    const tag = values.tag ?? `instance-manager/${values.server ? 'server' : 'runtime'}:1.0`;
    const base = values.base === undefined ? [] : ['--build-arg', `BASE=${values.base}`];
    const built = docker('build', '-f', dockerfile, '-t', tag, ...base, folder);
    return built === 0 && values.push ? docker('push', tag) : built;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function docker(...args: string[]): number {
  const { status, error } = spawnSync('docker', args, { stdio: 'inherit' });
  if (error) return say(`The docker command cannot be run: ${error.message}. Install it.\n`, 1);
  return status ?? 1;
}

function say(text: string, code: number): number {
  (code === 0 ? process.stdout : process.stderr).write(text);
  return code;
}

process.exitCode = await main();
