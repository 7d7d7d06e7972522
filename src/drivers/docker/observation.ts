/** What an engine says of a container, as an observation. */
import { constants } from 'node:os';
import type Docker from 'dockerode';
import type { RuntimeObservation } from '../driver.ts';
import { escapeTail } from '../log-tail.ts';

/** Nothing is left of the run: it was never started here, or replaced, or someone removed it. */
export const absent: RuntimeObservation = {
  state: 'exited',
  exitCode: null,
  signal: null,
  logTail: '',
  cause: 'REMOVED',
};

/** A container that was made, and not started yet or never. */
export const isUnstarted = ({ State }: Docker.ContainerInspectInfo): boolean =>
  State.Status === 'created';

/** Is it over? A paused one is not. */
export const hasExited = ({ State }: Docker.ContainerInspectInfo): boolean =>
  State.Status === 'exited' || State.Status === 'dead';

/** @param logTail the end of its output */
export function observationOf(
  { State }: Docker.ContainerInspectInfo,
  logTail: string,
): RuntimeObservation {
  if (State.Status === 'created') {
    return { state: 'unknown', reason: 'its container was made and is not started' };
  }
  if (State.Status !== 'exited' && State.Status !== 'dead') return { state: 'running', logTail };
  const { ExitCode: exitCode, OOMKilled: wasOutOfMemory } = State;
  return {
    ...{ state: 'exited', exitCode, signal: signalOf(exitCode), logTail },
    // The flag stays where a child was ended and the program went on to its own end.
    ...(wasOutOfMemory && exitCode !== 0 ? { cause: 'OUT_OF_MEMORY' } : {}),
  };
}

/** An engine tells the signal as 128 and its number. */
function signalOf(exitCode: number): string | null {
  const number = exitCode - 128;
  const [name] = Object.entries(constants.signals).find(([, value]) => value === number) ?? [];
  return name ?? null;
}

const streamHeaderBytes = 8;

/** The end of an output whose chunks each have a header with their stream and length. */
export function tailOf(output: Buffer): string {
  const chunks: Buffer[] = [];
  for (let at = 0; at + streamHeaderBytes <= output.length; ) {
    const from = at + streamHeaderBytes;
    at = from + output.readUInt32BE(at + 4);
    chunks.push(output.subarray(from, at));
  }
  return escapeTail(Buffer.concat(chunks).toString('utf8'), false);
}
