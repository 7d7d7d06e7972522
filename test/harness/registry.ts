/** Debian's `docker-registry` with one user, on a free loopback port, and images pushed to it over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const program = '/usr/bin/docker-registry';
/** Debian's package docker-registry. */
export const hasRegistry = existsSync(program);

export const registryUser = { username: 'fleet', password: 'open sesame' } as const;
/** The line of that user in a htpasswd file. */
const userLine = 'fleet:$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n';
const authorization = `Basic ${Buffer.from(Object.values(registryUser).join(':')).toString('base64')}`;

export interface TestRegistry {
  /** `127.0.0.1:5000` */
  readonly host: string;
  /** Pushes an image, and returns its digest. */
  push(path: string, tag: string, image?: ImageContent): Promise<string>;
  stop(): Promise<void>;
}

export interface ImageContent {
  readonly created?: string;
  readonly architecture?: string;
  readonly layer?: string;
}

export const sha256 = (content: string): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

/** The configuration, the layer and the manifest of an image. */
export function imageParts({
  created = '2026-03-01T12:00:00Z',
  architecture = 'amd64',
  layer = 'one layer',
}: ImageContent = {}) {
  const config = JSON.stringify({ created, architecture, os: 'linux', rootfs: { type: 'layers' } });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: imageType,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: config.length,
      digest: sha256(config),
    },
    layers: [
      {
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        size: layer.length,
        digest: sha256(layer),
      },
    ],
  });
  return { config, layer, manifest, sizeBytes: config.length + layer.length };
}

export const imageType = 'application/vnd.docker.distribution.manifest.v2+json';

export async function startRegistry(): Promise<TestRegistry> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  writeFileSync(join(folder, 'users'), userLine);
  const configuration = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: folder }, delete: { enabled: true } },
    http: { addr: '127.0.0.1:0' },
    auth: { htpasswd: { realm: 'tests', path: join(folder, 'users') } },
  };
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(configuration));
  const child = spawn(program, ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {},
  });
  const host = await addressOf(child);
  return {
    host,
    push: (path, tag, image) => push(`http://${host}/v2/${path}`, tag, imageParts(image)),
    async stop() {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Its log says so. Rejects with the log if it ends before. */
async function addressOf(child: ChildProcess): Promise<string> {
  if (!child.stderr) throw new Error('No output.');
  let log = '';
  for await (const line of createInterface(child.stderr)) {
    log += `${line}\n`;
    const [, address] = /listening on (127\.0\.0\.1:\d+)/.exec(line) ?? [];
    if (!address) continue;
    child.stderr.resume();
    return address;
  }
  throw new Error(`docker-registry ended:\n${log}`);
}

async function push(
  base: string,
  tag: string,
  { config, layer, manifest }: ReturnType<typeof imageParts>,
): Promise<string> {
  const send = async (method: string, url: string, type: string, body = '') => {
    const headers = { authorization, 'content-type': type };
    const answer = await fetch(url, { method, headers, ...(body ? { body } : {}) });
    if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  for (const blob of [config, layer]) {
    const begun = await send('POST', `${base}/blobs/uploads/`, 'application/octet-stream');
    const url = new URL(begun.headers.get('location') ?? '', base);
    url.searchParams.set('digest', sha256(blob));
    await send('PUT', url.href, 'application/octet-stream', blob);
  }
  await send('PUT', `${base}/manifests/${tag}`, imageType, manifest);
  return sha256(manifest);
}
