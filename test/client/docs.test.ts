/** The programs of the README and of docs/clients.md, run as a reader would: against the built package. */
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
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { type Client, createClient } from '../integration/client.ts';
import { type Server, startServer } from '../integration/server.ts';
import { startNetwork } from './network.ts';

const key = 'greenhouse-1';
const root = fileURLToPath(new URL('../..', import.meta.url));
/** The programs of a document. */
const programsOf = (path: string) =>
  [...readFileSync(join(root, path), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
    (match) => match[1] ?? '',
  );
const programs = { readme: programsOf('README.md'), clients: programsOf('docs/clients.md') };
const packages = [
  ...['graphql', 'graphql-ws', 'ws', 'rxjs'],
  ...['@apollo/client', '@urql/core', 'relay-runtime'],
];
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
  for (const name of packages) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  }
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
});
afterAll(async () => {
  await server?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

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

/** Uses the environment of the page as compiled components do: by the text of a document. */
const relayMain = `
  import { environment } from './relay.js';
  const execute = (operationKind, text, variables) => environment.getNetwork().execute(
    { operationKind, name: '', text, id: null, cacheID: text, metadata: {} }, variables, { force: true });
  const { data } = await execute('query', '{ feedPosition instances { nodes { key state } } }', {}).toPromise();
  console.log(data.instances.nodes);
  execute('subscription', \`subscription ($after: Cursor) {
    instanceTransitions(after: $after) { instance { key state } } }\`, { after: data.feedPosition })
    .subscribe({ next: ({ data }) => console.log(data.instanceTransitions), error: console.error });
`;

/** The one program that has this text. */
function find(among: readonly string[], mark: string): string {
  const [found = '', ...others] = among.filter((each) => each.includes(mark));
  expect(found, `a program with ${mark}`).not.toBe('');
  expect(others, `programs with ${mark}`).toEqual([]);
  return found;
}

/** A program that runs over a network of its own, and what it printed. */
async function startProgram(document: keyof typeof programs, mark: string) {
  const network = await startNetwork(server);
  const own = join(folder, `${network.url.split(':').at(-1)}`);
  mkdirSync(own);
  const save = (name: string, text: string) =>
    writeFileSync(
      join(own, name),
      text.replaceAll('127.0.0.1:4000', network.url.replace('http://', '')),
    );
  writeFileSync(join(own, 'package.json'), '{ "type": "module" }');
  save('resuming.js', find(programs.clients, '// resuming.js'));
  const example = find(programs[document], mark);
  const isRelay = mark === '// relay.js';
  save(isRelay ? 'relay.js' : 'main.js', example);
  if (isRelay) save('main.js', relayMain);
  const program = spawn(process.execPath, [join(own, 'main.js')], {
    env: { ...process.env, TOKEN: server.token, NODE_OPTIONS: '' },
  });
  onTestFinished(() => void program.kill('SIGKILL'));
  let output = '';
  for (const stream of [program.stdout, program.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const state = /(?:to|state): '(\w+)'/g;
  return {
    ...{ network, program, endsBySignal: example.includes('SIGTERM') },
    output: () => output,
    told: () => [...output.matchAll(state)].map((match) => match[1]),
  };
}

test('a snapshot, then every transition, also after a cut', async () => {
  const marks: Record<string, [keyof typeof programs, string]> = {
    'the README': ['readme', 'instance-manager/client'],
    'our client': ['clients', 'instance-manager/client'],
    'graphql-ws alone': ['clients', 'client.subscribe(payload, {\n  next({'],
    'Apollo Client': ['clients', '// apollo.js'],
    urql: ['clients', '// urql.js'],
    Relay: ['clients', '// relay.js'],
  };
  const started = await Promise.all(
    Object.entries(marks).map(async ([name, of]) => ({ name, ...(await startProgram(...of)) })),
  );
  const expectTold = async (...states: string[]) => {
    for (const { name, told, output } of started)
      await eventually(() => expect(told(), `${name}: ${output()}`).toEqual(states));
  };
  const first = ['RUNNING'];
  const work = ['PAUSING', 'PAUSED', 'STARTING', 'RUNNING'];
  await expectTold(...first);
  await pauseAndResume();
  await expectTold(...first, ...work);
  for (const { network } of started) network.cut();
  await pauseAndResume();
  await expectTold(...first, ...work, ...work);
  for (const { program } of started) program.kill('SIGTERM');
  for (const { name, program, endsBySignal, output } of started) {
    await eventually(() => expect(program.exitCode ?? program.signalCode).not.toBeNull());
    if (endsBySignal) expect(program.exitCode, `${name}: ${output()}`).toBe(0);
  }
});

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
