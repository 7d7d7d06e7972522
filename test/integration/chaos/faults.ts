/** Which faults a run has, in which order and whom they meet: all of it comes from a seed. */
import { pick, randomNumbers } from '../load.ts';

export const faultKinds = [
  'NODE_KILLED',
  'LISTENER_ENDED',
  'BACKEND_ENDED',
  'CONNECTION_CUT',
  'CONNECTION_STALLED',
  'CLIENTS_PAUSED',
  'POSTGRES_CRASHED',
  'POSTGRES_RESTARTED',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Whom it meets: a number modulo how many there are. */
  readonly target: number;
  /** Which of the target's connections. */
  readonly which: number;
  /** How long it lasts, where it lasts. */
  readonly milliseconds: number;
  /** From this fault to the next. */
  readonly pauseMilliseconds: number;
}

/** How often each comes in a hundred; a node and PostgreSQL need seconds to come back. */
const shares: Readonly<Record<FaultKind, number>> = {
  NODE_KILLED: 5,
  LISTENER_ENDED: 14,
  BACKEND_ENDED: 33,
  CONNECTION_CUT: 24,
  CONNECTION_STALLED: 12,
  CLIENTS_PAUSED: 8,
  POSTGRES_CRASHED: 2,
  POSTGRES_RESTARTED: 2,
};
const urn = faultKinds.flatMap((kind) => Array.from({ length: shares[kind] }, () => kind));

/** The faults of a seed; fewer of them are the first of more. */
export function planFaults(seed: number, count: number, pauseMilliseconds: number): Fault[] {
  const random = randomNumbers(seed);
  return Array.from({ length: count }, () => ({
    kind: pick(random, urn),
    target: Math.floor(random() * 1_000_000),
    which: Math.floor(random() * 1_000_000),
    milliseconds: Math.round(300 + random() * 3_700),
    pauseMilliseconds: Math.round(pauseMilliseconds * (0.5 + random())),
  }));
}
