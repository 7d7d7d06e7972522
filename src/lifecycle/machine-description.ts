/** Both machines in one form, for the API, the diagrams and the documentation. */
import type { Deadlines, ResourceKind } from './change.ts';
import { hostActions, hostEdges, hostStateFacts, hostStates } from './host.ts';
import { hostCommands } from './host-table.ts';
import { instanceActions, instanceEdges, instanceStateFacts, instanceStates } from './instance.ts';
import { instanceCommands } from './instance-table.ts';
import type { RefusalCode } from './refusal.ts';
import type { Cell, Edge, StateClass } from './table-types.ts';

export interface StateMachine {
  readonly kind: ResourceKind;
  readonly states: readonly MachineState[];
  readonly edges: readonly Edge<string>[];
  readonly commands: readonly MachineCommand[];
}

export interface MachineState {
  readonly name: string;
  readonly class: StateClass;
  readonly description: string;
  readonly deadlineSeconds: number | null;
  readonly onExpiry: string | null;
  readonly onExpiryIfItAnswers: string | null;
  /** Null: not a state of instances. */
  readonly takesMessages: boolean | null;
  readonly takesInputCommands: boolean | null;
  /** Null: not a state of hosts. */
  readonly billed: boolean | null;
}

export interface MachineCommand {
  readonly action: string;
  readonly cells: readonly MachineCell[];
}

export interface MachineCell {
  readonly state: string;
  readonly outcome: 'ACCEPTED' | 'REFUSED';
  readonly entersState: string | null;
  readonly code: RefusalCode | null;
}

/** The machine of a kind, with the deadlines as this server is configured. */
export function stateMachineOf(kind: ResourceKind, deadlines: Deadlines): StateMachine {
  return kind === 'INSTANCE' ? instanceMachine(deadlines) : hostMachine(deadlines);
}

function instanceMachine(deadlines: Deadlines): StateMachine {
  return {
    kind: 'INSTANCE',
    states: instanceStates.map((name) => {
      const facts = instanceStateFacts[name];
      return {
        name,
        class: facts.class,
        description: facts.description,
        deadlineSeconds: facts.deadline ? (deadlines.instance[name] ?? null) : null,
        onExpiry: facts.deadline?.onExpiry ?? null,
        onExpiryIfItAnswers: null,
        takesMessages: facts.takesMessages,
        takesInputCommands: facts.takesInputCommands,
        billed: null,
      };
    }),
    edges: instanceEdges,
    commands: instanceActions.map((action) => ({
      action,
      cells: instanceStates.map((state) => cellOf(state, instanceCommands[state][action])),
    })),
  };
}

function hostMachine(deadlines: Deadlines): StateMachine {
  return {
    kind: 'HOST',
    states: hostStates.map((name) => {
      const facts = hostStateFacts[name];
      return {
        name,
        class: facts.class,
        description: facts.description,
        deadlineSeconds: facts.deadline ? (deadlines.host[name] ?? null) : null,
        onExpiry: facts.deadline?.onExpiry ?? null,
        onExpiryIfItAnswers: facts.deadline?.ifItAnswers ?? null,
        takesMessages: null,
        takesInputCommands: null,
        billed: facts.billed,
      };
    }),
    edges: hostEdges,
    commands: hostActions.map((action) => ({
      action,
      cells: hostStates.map((state) => cellOf(state, hostCommands[state][action])),
    })),
  };
}

function cellOf(state: string, cell: Cell<string>): MachineCell {
  return 'refused' in cell
    ? { state, outcome: 'REFUSED', entersState: null, code: cell.refused }
    : { state, outcome: 'ACCEPTED', entersState: cell.enters, code: null };
}
