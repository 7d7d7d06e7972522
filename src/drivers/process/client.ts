/** The driver's side of the control socket of the agent, and of its health check. */
import { get } from 'node:http';
import { createConnection } from 'node:net';
import { runWithin } from '../../timing/time-limit.ts';
import { DriverError } from '../driver.ts';
import { type Answer, type CommandName, type Commands, maxLineBytes } from './protocol.ts';

/** Longer than any command of an agent takes. */
const answerWithinMs = 12_000;

export interface Ask<Name extends CommandName> {
  readonly socket: string;
  readonly hostId: string;
  readonly command: Name;
  readonly body: Commands[Name]['takes'];
  readonly fencingToken: bigint;
  readonly signal: AbortSignal;
}

/**
 * Sends an agent one command and returns its answer.
 * @throws DriverError HOST_SILENT without an answer, otherwise the error of the agent
 */
export async function askAgent<Name extends CommandName>(
  ask: Ask<Name>,
): Promise<Commands[Name]['answers']> {
  const line = await runWithin(answerWithinMs, ask.signal, (signal) =>
    exchange({ ...ask, signal }),
  );
  let answer: Answer<Name>;
  try {
    answer = JSON.parse(line) as Answer<Name>;
  } catch (error) {
    throw silent(ask.hostId, 'its agent answers with something else than JSON', error);
  }
  if (answer.ok) return answer.body;
  const { code, message, retryable, logTail } = answer.error;
  throw new DriverError(code, message, { retryable, logTail });
}

/** The error for an agent that does not answer. */
export function silent(hostId: string, reason: string, cause?: unknown): DriverError {
  return new DriverError(
    'HOST_SILENT',
    `Host ${hostId} cannot be asked: ${reason}. Repeat it, and if it stays so, restart the host.`,
    { retryable: true, cause },
  );
}

async function exchange<Name extends CommandName>(ask: Ask<Name>): Promise<string> {
  const { socket: path, hostId, command, body, fencingToken, signal } = ask;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(silent(hostId, 'the call was over before it began'));
      return;
    }
    const socket = createConnection({ path });
    let text = '';
    const settle = (act: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      act();
    };
    const fail = (reason: string, cause?: unknown): void =>
      settle(() => reject(silent(hostId, reason, cause)));
    const onAbort = (): void => fail(`its agent did not answer ${command} in time`);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setEncoding('utf8');
    socket.on('connect', () =>
      socket.write(`${JSON.stringify({ command, hostId, fence: String(fencingToken), body })}\n`),
    );
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) settle(() => resolve(text.slice(0, end)));
      else if (text.length > maxLineBytes) fail('its agent answers without end');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const gone = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      fail(gone ? 'its agent is not there' : `its agent broke off: ${error.message}`, error);
    });
    socket.on('close', () => fail('its agent hung up'));
  });
}

export interface HealthQuestion {
  readonly address: string;
  readonly port: number;
  readonly hostId: string;
  readonly signal: AbortSignal;
}

/**
 * Checks over HTTP whether a host answers.
 * @returns null if it does, otherwise the reason
 */
export function askHealth(question: HealthQuestion): Promise<string | null> {
  return runWithin(answerWithinMs, question.signal, (signal) => probe({ ...question, signal }));
}

function probe({ address, port, hostId, signal }: HealthQuestion): Promise<string | null> {
  const where = `http://${address}:${port}/healthz`;
  return new Promise((resolve) => {
    const onError = (error: Error): void =>
      resolve(
        signal.aborted ? `${where} did not answer in time` : `${where}: ${error.message || error}`,
      );
    const request = get({ host: address, port, path: '/healthz', agent: false, signal });
    request.on('error', onError);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', onError);
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > 4096) response.destroy(new Error('answers without end'));
      });
      response.on('end', () => resolve(judge(response.statusCode, text, hostId, where)));
    });
  });
}

function judge(status: number | undefined, text: string, hostId: string, where: string) {
  if (status !== 200) return `${where} answers ${status}`;
  try {
    if ((JSON.parse(text) as { host?: unknown }).host === hostId) return null;
  } catch {
    // Another program answers there.
  }
  return `another program answers at ${where}`;
}
