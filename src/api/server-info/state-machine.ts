/** `stateMachine`: both lifecycles as data, the same tables that the server decides by. */

import {
  type MachineCell,
  type MachineCommand,
  type MachineState,
  type StateMachine as StateMachineShape,
  stateMachineOf,
} from '../../lifecycle/machine-description.ts';
import { mermaidOf } from '../../lifecycle/mermaid.ts';
import { builder } from '../base/builder.ts';
import { ResourceKind, UserErrorCode } from '../base/enums.ts';

const StateClass = builder.enumType('StateClass', {
  values: ['AT_REST', 'TRANSIENT', 'LIVE', 'ERROR'] as const,
});

const CommandOutcome = builder.enumType('CommandOutcome', {
  values: ['ACCEPTED', 'REFUSED'] as const,
});

const State = builder.objectRef<MachineState>('StateMachineState').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    class: t.expose('class', { type: StateClass }),
    description: t.exposeString('description'),
    deadlineSeconds: t.exposeInt('deadlineSeconds', { nullable: true }),
    onExpiry: t.exposeString('onExpiry', { nullable: true }),
    onExpiryIfItAnswers: t.exposeString('onExpiryIfItAnswers', { nullable: true }),
    takesMessages: t.exposeBoolean('takesMessages', { nullable: true }),
    takesInputCommands: t.exposeBoolean('takesInputCommands', { nullable: true }),
    billed: t.exposeBoolean('billed', { nullable: true }),
  }),
});

const Edge = builder.objectRef<StateMachineShape['edges'][number]>('StateMachineEdge').implement({
  fields: (t) => ({
    from: t.exposeString('from'),
    to: t.exposeString('to'),
    trigger: t.exposeString('trigger'),
  }),
});

const Cell = builder.objectRef<MachineCell>('StateMachineCell').implement({
  fields: (t) => ({
    state: t.exposeString('state'),
    outcome: t.expose('outcome', { type: CommandOutcome }),
    entersState: t.exposeString('entersState', { nullable: true }),
    code: t.expose('code', { type: UserErrorCode, nullable: true }),
  }),
});

const Command = builder.objectRef<MachineCommand>('StateMachineCommand').implement({
  fields: (t) => ({
    action: t.exposeString('action'),
    cells: t.expose('cells', { type: [Cell] }),
  }),
});

const StateMachine = builder.objectRef<StateMachineShape>('StateMachine').implement({
  fields: (t) => ({
    kind: t.expose('kind', { type: ResourceKind }),
    states: t.expose('states', { type: [State] }),
    edges: t.expose('edges', { type: [Edge] }),
    commands: t.expose('commands', { type: [Command] }),
    mermaid: t.string({ resolve: mermaidOf }),
  }),
});

builder.queryField('stateMachine', (t) =>
  t.field({
    type: StateMachine,
    nullable: true,
    args: { kind: t.arg({ type: ResourceKind, required: true }) },
    resolve: (_root, { kind }, { store }) => stateMachineOf(kind, store.deadlines),
  }),
);
