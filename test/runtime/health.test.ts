/** `GET /healthz` of the runtime, and the check of the Dockerfile, which asks for it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createControlPlane } from './control-plane.ts';
import { startProgram } from './program.ts';

const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');
const imagePort = /^ENV RUNTIME_HEALTH_PORT=(\d+)$/m.exec(dockerfile)?.[1] ?? '';

/** The exit code of the check of the image, on another port. */
function check(port: number): number | null {
  const command = /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]';
  expect(command).toContain(imagePort);
  const [node, ...args]: string[] = JSON.parse(command.replaceAll(imagePort, String(port)));
  return spawnSync(node ?? '', args, { timeout: 10_000 }).status;
}

async function takenPort(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((_, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  onTestFinished(close);
  return { port: (server.address() as AddressInfo).port, close };
}

test('it answers as long as the process runs, whatever the instance does', async () => {
  const { port, close } = await takenPort();
  await close();
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const env = { RUNTIME_ENDPOINT: url, RUNTIME_HEALTH_PORT: String(port) };
  const program = await startProgram(controlPlane, env);
  await controlPlane.until(() => controlPlane.reports.length > 0);
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  expect([await status('/healthz'), await status('/')]).toEqual([200, 404]);
  expect(check(port)).toBe(0);
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
  expect(check(port)).toBe(1);
});

test('a port that is taken is in the log, and ends nothing', async () => {
  const { port } = await takenPort();
  const controlPlane = createControlPlane();
  const { url } = await controlPlane.listen();
  const env = { RUNTIME_ENDPOINT: url, RUNTIME_HEALTH_PORT: String(port) };
  const program = await startProgram(controlPlane, env);
  await controlPlane.until(() => controlPlane.reports.length > 0);
  await expect.poll(program.output, { timeout: 30_000 }).toContain(`port ${port}`);
  program.child.kill('SIGTERM');
  expect(await program.exit).toBe(0);
});
