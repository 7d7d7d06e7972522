/** The server of the session, and its API as a user has it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Session } from './session.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

// biome-ignore lint/suspicious/noExplicitAny: each document has its own shape.
export type Answer = Record<string, any>;

export interface Api {
  /** Asks; rejects with the errors. */
  ask(document: string, variables?: object): Promise<Answer>;
  /** One mutation with its input; shows both. Resolves with its result. */
  mutate(field: string, input: object): Promise<Answer>;
  /** The same, where it must be accepted. */
  must(field: string, input: object): Promise<Answer>;
  stop(): Promise<void>;
}

/** Starts the server on free ports, in a folder of its own. */
export async function startApi(
  session: Session,
  environment: Record<string, string>,
): Promise<Api> {
  const token = randomBytes(24).toString('hex');
  const child = spawn(process.execPath, ['src/start.mjs'], {
    cwd: root,
    env: { ...process.env, PORT: '0', ADMIN_TOKEN: token, DNS_PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  const closed = once(child, 'close');
  const address = () => /Instance Manager at (\S+)\/\n/.exec(output)?.[1];
  await session.eventually('the server is there', () => address() !== undefined);
  const url = `${address()}/graphql`;

  async function ask(query: string, variables: object = {}): Promise<Answer> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    const body = JSON.stringify({ query, variables });
    const answer = await fetch(url, { method: 'POST', headers, body });
    const { data, errors } = (await answer.json()) as { data: Answer; errors?: object[] };
    if (errors) throw new Error(`${query}: ${JSON.stringify(errors)}`);
    return data;
  }

  async function mutate(field: string, input: object): Promise<Answer> {
    const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
    const document = `mutation ($input: ${type}!) { ${field}(input: $input) { __typename
      ... on UserError { code message } ... on InvalidInput { issues { path message } } } }`;
    const result = (await ask(document, { input }))[field];
    session.tell(`${field}(${JSON.stringify(withoutSecrets(input))})`);
    session.tell(`→ ${JSON.stringify(result)}`);
    return result;
  }

  return {
    ask,
    mutate,
    async must(field, input) {
      const result = await mutate(field, input);
      if (result.code) throw new Error(`${field} was refused: ${result.message}`);
      return result;
    },
    async stop() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}

const withoutSecrets = (input: object) =>
  JSON.parse(
    JSON.stringify(input, (name, value) => (/password|Key$/.test(name) ? '…' : value)),
  ) as object;
