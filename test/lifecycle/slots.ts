/** The places of the tables that can be changed, and how each is compared with the contract. */
import { deadlinesOfFacts } from '../../src/lifecycle/change.ts';
import { stateMachineOf } from '../../src/lifecycle/machine-description.ts';
import { accepted } from './contract.ts';
import type { Situation } from './drive.ts';

/** A place of a table that can be changed, and what is compared there. */
export interface Slot {
  readonly name: string;
  readonly target: Record<string, unknown>;
  readonly key: string;
  /** Every other value that could stand there. */
  readonly others: readonly unknown[];
  /** Where what the code does is not what the contract says. */
  readonly behaves: () => string[];
  /** Where what is written there, or published by the API, is not what the contract says. */
  readonly reads: () => string[];
  /** The code's answer where a changed value is a state to enter, or a refusal. */
  readonly follows?: () => string;
}

export const mutable = (table: unknown) => table as Record<string, Record<string, unknown>>;
export const differs = (what: string, got: unknown, wanted: unknown): string[] =>
  got === wanted ? [] : [`${what}: ${String(got)}, not ${String(wanted)}`];
export const yes = (value: boolean) => (value ? 'yes' : 'no');
export const publishedInstance = () => stateMachineOf('INSTANCE', deadlinesOfFacts());
export const publishedHost = () => stateMachineOf('HOST', deadlinesOfFacts());

export const refusals = [
  'ILLEGAL_TRANSITION',
  'ALREADY_IN_STATE',
  'RESTART_REQUIRED',
  'REMOVE_REQUIRED',
  'OPERATION_IN_PROGRESS',
].map((refused) => ({ refused }));
export const entering = (states: readonly string[]) => states.map((state) => ({ enters: state }));
export const answerOf = (cell: unknown): string => {
  const { refused, enters } = cell as { refused?: string; enters?: string | null };
  return refused ?? enters ?? accepted;
};

/** What the API says of a cell. */
export function published(
  machine: ReturnType<typeof stateMachineOf>,
  state: string,
  action: string,
) {
  const command = machine.commands.find((each) => each.action === action);
  const cell = command?.cells.find((each) => each.state === state);
  return cell?.code ?? cell?.entersState ?? accepted;
}

/** What is true beside an observation, unless a test says otherwise. */
export const situation: Situation = {
  desired: 'RUNNING',
  reachability: 'OK',
  operation: null,
  runtimeGone: false,
  stale: false,
  kill: 'none',
};
export const stripped = (answer: string) => answer.replace(' with its cause', '');
