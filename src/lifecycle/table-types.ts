/** Types and constants of both machines: classes of states, edges, deadlines, cells. */
export type StateClass = 'AT_REST' | 'TRANSIENT' | 'LIVE' | 'ERROR';

/** COMPUTE: a host that is billed. RUN: an instance that is RUNNING. PAUSED: one that is PAUSED. */
export const meters = ['COMPUTE', 'RUN', 'PAUSED'] as const;
export type Meter = (typeof meters)[number];

export interface Deadline<State> {
  /** Default; configurable as `INSTANCE_<STATE>_DEADLINE_SECONDS` or `HOST_…`. */
  readonly seconds: number;
  /** The state entered when the deadline passes. */
  readonly onExpiry: State;
}

export interface Edge<State> {
  readonly from: State;
  readonly to: State;
  readonly trigger: string;
}

/**
 * What a command does in a state: the first state it enters (null: accepted without a
 * transition), or
 * the code of its refusal.
 */
export type Cell<State> = { readonly enters: State | null } | { readonly refused: CellRefusal };
export type CellRefusal =
  | 'ILLEGAL_TRANSITION'
  | 'ALREADY_IN_STATE'
  | 'RESTART_REQUIRED'
  | 'REMOVE_REQUIRED'
  | 'OPERATION_IN_PROGRESS';

/** What an observation does in a state: the state it enters, or an effect that has a name. */
export type ObservationCell<State, Effect> =
  | { readonly enters: State; readonly whereDesired?: Readonly<Partial<Record<string, State>>> }
  | { readonly effect: Effect };

/** A row of a table of observations. A state without a cell ignores the observation. */
export type ObservationRow<State extends string, Effect> = Readonly<
  Partial<Record<State, ObservationCell<State, Effect>>>
>;

export const enters = <State>(state: State): { readonly enters: State } => ({ enters: state });
export const accepted = { enters: null } as const satisfies Cell<never>;
export const illegal: Cell<never> = { refused: 'ILLEGAL_TRANSITION' };
export const alreadyInState: Cell<never> = { refused: 'ALREADY_IN_STATE' };
export const restartRequired: Cell<never> = { refused: 'RESTART_REQUIRED' };
export const removeRequired: Cell<never> = { refused: 'REMOVE_REQUIRED' };
export const inProgress: Cell<never> = { refused: 'OPERATION_IN_PROGRESS' };

/** The same cell in each of these states. */
export function inStates<State extends string, C>(
  states: readonly State[],
  cell: C,
): Partial<Record<State, C>> {
  return Object.fromEntries(states.map((state) => [state, cell])) as Partial<Record<State, C>>;
}

/** One edge from each of these states, by one trigger. */
export function edges<State>(from: readonly State[], to: State, trigger: string): Edge<State>[] {
  return from.map((state) => ({ from: state, to, trigger }));
}
