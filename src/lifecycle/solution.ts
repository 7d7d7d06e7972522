/** The rules of solution documents and settings, with patterns that are matched in bounded time. */
import vm from 'node:vm';
import { type SolutionFault, settingFaults, solutionFaults } from './solution-rules.ts';

const patternMilliseconds = 50;
const sandbox = vm.createContext(Object.create(null));
const matching = new vm.Script('pattern.test(text)');

/**
 * Every fault of a solution document, in the order of the document's parts; none means that it may
 * be published.
 */
export const checkSolution = (definition: unknown): SolutionFault[] =>
  solutionFaults(definition, mismatch);

/**
 * Every fault of an instance's settings against what a checked document declares. A value is never
 * repeated in a message: it may be a secret.
 */
export const checkSettings = (definition: unknown, settings: unknown): SolutionFault[] =>
  settingFaults(definition, settings, mismatch);

/**
 * Runs the pattern in a context that can be interrupted, because a pattern may take exponential time. The limit is
 * one of processor time: on a busy machine a short match may be interrupted before it has had any.
 */
function mismatch(pattern: string, text: string): string | undefined {
  const before = process.cpuUsage();
  do {
    try {
      Object.assign(sandbox, { pattern: new RegExp(pattern, 'u'), text });
      const matches = matching.runInContext(sandbox, { timeout: patternMilliseconds }) === true;
      return matches ? undefined : `must match ${pattern}`;
    } catch (error) {
      if (error instanceof SyntaxError) break; // Else it was interrupted.
    }
  } while (millisecondsOf(process.cpuUsage(before)) < patternMilliseconds);
  return `could not be matched against ${pattern} within ${patternMilliseconds} ms of processor time`;
}

const millisecondsOf = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000;
