/** The README's examples, run as its readers would: with the package built, by its exported name. */
import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type Client, createClient } from '../integration/client.ts';
import { type Server, startServer } from '../integration/server.ts';
import { startNetwork } from './network.ts';

const key = 'greenhouse-1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
const compiler = join(
  dirname(createRequire(import.meta.url).resolve('typescript/package.json')),
  'bin/tsc',
);

let folder: string;
let server: Server;
let api: Client;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'im-package-'));
  const installed = join(folder, 'node_modules/instance-manager');
  mkdirSync(installed, { recursive: true });
  cpSync(join(root, 'package.json'), join(installed, 'package.json'));
  for (const name of ['graphql', 'graphql-ws', 'ws'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  await tsc(
    '-p',
    join(root, 'src/client/tsconfig.build.json'),
    '--outDir',
    join(installed, 'dist'),
  );
  server = await startServer();
  api = createClient(server);
  await api.accept('deployInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
}, 240_000);
afterAll(async () => {
  await server?.dispose();
  rmSync(folder, { recursive: true, force: true });
}, 120_000);

const run = promisify(execFile);

/** Compiles; what it says against the sources is in the error. */
const tsc = (...parameters: string[]) =>
  run(process.execPath, [compiler, ...parameters], { cwd: folder });

async function pauseAndResume(): Promise<void> {
  await api.accept('pauseInstance', key);
  await api.until(key, 'PAUSED');
  await api.accept('resumeInstance', key);
  await api.until(key, 'RUNNING');
  await api.untilSettled();
}

test.each([
  ['the client that resumes', 'instance-manager/client', /state: '(\w+)'/g, ['RUNNING']],
  ['graphql-ws alone', "from 'graphql-ws'", /(?:to|state): '(\w+)'/g, ['RUNNING']],
])(
  '%s: a snapshot, then every transition, also behind a cut',
  async (_what, mark, state, first) => {
    const [example = '', ...others] = examples.filter((each) => each.includes(mark));
    expect(others).toEqual([]);
    const network = await startNetwork(server);
    const file = join(folder, `${network.url.split(':').at(-1)}.mjs`);
    writeFileSync(file, example.replaceAll('http://127.0.0.1:4000', network.url));
    const program = spawn(process.execPath, [file], {
      env: { ...process.env, TOKEN: server.token, NODE_OPTIONS: '' },
    });
    onTestFinished(() => void program.kill('SIGKILL'));
    let output = '';
    for (const stream of [program.stdout, program.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const told = () => [...output.matchAll(state)].map((match) => match[1]);
    const work = ['PAUSING', 'PAUSED', 'STARTING', 'RUNNING'];
    await vi.waitFor(() => expect(told(), output).toEqual(first), 10_000);
    await pauseAndResume();
    await vi.waitFor(() => expect(told(), output).toEqual([...first, ...work]), 5_000);
    network.cut();
    await pauseAndResume();
    await vi.waitFor(() => expect(told(), output).toEqual([...first, ...work, ...work]), 15_000);
    program.kill('SIGTERM');
    await vi.waitFor(() => expect(program.exitCode ?? program.signalCode).not.toBeNull(), 5_000);
    if (example.includes('SIGTERM')) expect(program.exitCode, output).toBe(0);
  },
);

test('the types of the package say what it takes and gives', async () => {
  writeFileSync(
    join(folder, 'user.ts'),
    `import { createResumingClient, StreamError, type Reset } from 'instance-manager/client';
    interface Transition { instanceTransitions: { sequence: number } }
    interface Fleet { feedPosition: string; instances: { nodes: { id: string }[] } }
    const client = createResumingClient({ url: '/graphql', onStatus: (status) => status === 'CONNECTED' });
    const request = { query: '', snapshot: { query: '' } };
    const stop: () => void = client.subscribe<Transition, Fleet>(
      { ...request, onReset: ({ reason, data }: Reset<Fleet>) => [reason, data.instances.nodes[0]?.id] },
      {
        next: ({ data, extensions }) => [data?.instanceTransitions.sequence.toFixed(), extensions?.cursor],
        error: (error) => (error instanceof StreamError ? error.closeCode?.toFixed() : error.message),
      },
    );
    for await (const item of client.iterate<Transition, Fleet>(request)) {
      if (item.reset) item.reset.data.instances.nodes.length;
      else item.data?.instanceTransitions.sequence.toFixed();
      stop();
    }
    // @ts-expect-error: there is no such option
    createResumingClient({ address: '/graphql' });`,
  );
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const strict = ['--strict', '--noEmit', '--types', ''];
  const browser = ['--target', 'ES2023', '--lib', 'ES2023,DOM'];
  for (const how of [
    ['--module', 'NodeNext'],
    ['--module', 'ESNext', '--moduleResolution', 'bundler'],
  ])
    await tsc(...strict, ...browser, ...how, 'user.ts');
});
