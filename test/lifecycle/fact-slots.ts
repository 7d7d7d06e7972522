/** The columns of the facts of each state, and its deadline. */
import { type HostState, hostStateFacts, hostStates } from '../../src/lifecycle/host.ts';
import {
  type InstanceState,
  instanceStateFacts,
  instanceStates,
} from '../../src/lifecycle/instance.ts';
import { takes } from '../../src/lifecycle/instance-commands.ts';
import { hostMeter, instanceMeter } from '../../src/lifecycle/metering.ts';
import * as contract from './contract.ts';
import * as drive from './drive.ts';
import { instance } from './model.ts';
import { observationProblems } from './observation-slots.ts';
import {
  differs,
  publishedHost,
  publishedInstance,
  type Slot,
  situation,
  stripped,
  yes,
} from './slots.ts';

/** What is compared of a state: a column of the facts, the code's answer, the API's. */
type Column = readonly [
  column: string,
  others: readonly unknown[],
  behaves: (() => unknown) | null,
  reads: () => unknown,
];

function factSlots(
  kind: string,
  state: string,
  facts: Record<string, unknown>,
  wanted: Record<string, string> | undefined,
  columns: readonly Column[],
): Slot[] {
  return columns.map(([column, others, behaves, reads]) => ({
    name: `${column} of ${kind} ${state}`,
    target: facts,
    key: column,
    others,
    behaves: () => (behaves ? differs(column, behaves(), wanted?.[column]) : []),
    reads: () => differs(column, reads(), wanted?.[column]),
  }));
}

const classes = ['AT_REST', 'TRANSIENT', 'LIVE', 'ERROR'];
const shownOf = (machine: ReturnType<typeof publishedHost>, state: string) =>
  machine.states.find(({ name }) => name === state);

export const instanceFactSlots = (): Slot[] =>
  instanceStates.flatMap((state) => [...instanceColumns(state), ...instanceDeadline(state)]);

export const hostFactSlots = (): Slot[] =>
  hostStates.flatMap((state) => [...hostColumns(state), ...hostDeadline(state)]);

function instanceColumns(state: InstanceState): Slot[] {
  const facts = instanceStateFacts[state];
  const wanted = contract.instanceFacts[state];
  const shown = () => shownOf(publishedInstance(), state);
  const failed = () =>
    ['RUNTIME_FAULT', 'KILL_UNCONFIRMED']
      .map((name) => stripped(drive.instanceObserved(name, state, situation)))
      .find((answer) => answer !== '' && answer !== 'touched') ?? '';
  return factSlots('instance', state, facts as never, wanted, [
    ['class', classes, () => drive.instanceClass(state), () => shown()?.class],
    [
      'takesMessages',
      [true, false],
      () => yes(takes(instance(state)).messages === true),
      () => yes(shown()?.takesMessages === true),
    ],
    [
      'takesInputCommands',
      [true, false],
      () => yes(takes(instance(state)).inputCommands === true),
      () => yes(shown()?.takesInputCommands === true),
    ],
    [
      'meter',
      [null, 'RUN', 'PAUSED', 'COMPUTE'],
      () => instanceMeter(state) ?? '',
      () => facts.meter ?? '',
    ],
    [
      'failsTo',
      [null, ...instanceStates],
      wanted?.failsTo ? failed : null,
      () => facts.failsTo ?? '',
    ],
  ]);
}

function instanceDeadline(state: InstanceState): Slot[] {
  const facts = instanceStateFacts[state];
  const wanted = contract.instanceFacts[state];
  const shown = () => shownOf(publishedInstance(), state);
  const { deadline } = facts;
  if (!deadline) {
    return factSlots('instance', state, facts as never, { deadline: wanted?.seconds ?? '' }, [
      [
        'deadline',
        [{ seconds: 1, onExpiry: 'FATAL_ERROR' }],
        () => drive.deadlineSeconds('INSTANCE', state),
        () => String(shown()?.deadlineSeconds ?? ''),
      ],
    ]);
  }
  const kill = deadline.kills ? 'confirmed' : 'none';
  const expired = () =>
    stripped(drive.instanceObserved('INSTANCE_DEADLINE', state, { ...situation, kill }));
  return [
    ...deadlineSlots('instance', state, wanted, {
      deadline,
      shown,
      expired,
      states: instanceStates,
    }),
    {
      name: `kill at the deadline of ${state}`,
      target: deadline as never,
      key: 'kills',
      others: [deadline.kills ? undefined : true],
      behaves: () => observationProblems('INSTANCE_DEADLINE', state),
      reads: () => differs('kills', deadline.kills === true, state === 'STOPPING'),
    },
  ];
}

function hostColumns(state: HostState): Slot[] {
  const facts = hostStateFacts[state];
  const shown = () => shownOf(publishedHost(), state);
  return factSlots('host', state, facts as never, contract.hostFacts[state], [
    ['class', classes, null, () => shown()?.class],
    [
      'billed',
      [true, false],
      () => yes(hostMeter(state) === 'COMPUTE'),
      () => yes(shown()?.billed === true),
    ],
    ['checked', [true, false], () => yes(drive.isChecked(state)), () => yes(facts.checked)],
    ['carriesInstances', [true, false], null, () => yes(facts.carriesInstances)],
  ]);
}

function hostDeadline(state: HostState): Slot[] {
  const facts = hostStateFacts[state];
  const wanted = contract.hostFacts[state];
  const shown = () => shownOf(publishedHost(), state);
  const { deadline } = facts;
  if (!deadline) {
    return factSlots('host', state, facts as never, { deadline: wanted?.seconds ?? '' }, [
      [
        'deadline',
        [{ seconds: 1, onExpiry: 'FAILED_HEALTH_CHECK', ifItAnswers: null }],
        () => drive.deadlineSeconds('HOST', state),
        () => String(shown()?.deadlineSeconds ?? ''),
      ],
    ]);
  }
  const given = { stale: false, removing: false };
  const expired = (answers: boolean) => () =>
    stripped(drive.hostObserved('HOST_DEADLINE', state, { ...given, answers }));
  return [
    ...deadlineSlots('host', state, wanted, {
      deadline,
      shown,
      expired: expired(false),
      states: hostStates,
    }),
    {
      name: `ifItAnswers of host deadline ${state}`,
      target: deadline as never,
      key: 'ifItAnswers',
      others: [null, ...hostStates],
      behaves: () => differs('answers', expired(true)(), wanted?.ifItAnswers || wanted?.onExpiry),
      reads: () => differs('answers', shown()?.onExpiryIfItAnswers ?? '', wanted?.ifItAnswers),
      follows: expired(true),
    },
  ];
}

function deadlineSlots(
  kind: 'instance' | 'host',
  state: string,
  wanted: Record<string, string> | undefined,
  of: {
    deadline: { readonly seconds: number };
    shown: () => ReturnType<typeof shownOf>;
    expired: () => string;
    states: readonly string[];
  },
): Slot[] {
  const { deadline, shown, expired } = of;
  const { seconds } = deadline;
  return factSlots(`${kind} deadline`, state, deadline as never, wanted, [
    [
      'seconds',
      [seconds + 1, seconds - 1, 0],
      () => drive.deadlineSeconds(kind === 'host' ? 'HOST' : 'INSTANCE', state),
      () => String(shown()?.deadlineSeconds),
    ],
    ['onExpiry', of.states, expired, () => shown()?.onExpiry],
  ]).map((slot) => (slot.key === 'onExpiry' ? { ...slot, follows: expired } : slot));
}
