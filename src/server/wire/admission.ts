/** Admission of subscriptions: a limit per token, and none while the event loop is too busy. */
import { performance } from 'node:perf_hooks';
import { createSlots } from '../../api/base/slots.ts';
import type { Viewer } from '../../api/base/viewer.ts';

export interface AdmissionLimits {
  readonly subscriptionsPerToken: number;
  /** Use of the event loop in per cent, over ten seconds. 100: never busy. */
  readonly busyPercent: number;
}

export interface Admission {
  /** Is the event loop so busy that a new subscription would slow down the existing ones? */
  isBusy(viewer: Viewer): boolean;
  /** Counts a subscription; the function ends it. Null: the token has as many as it may. */
  enter(viewer: Viewer): (() => void) | null;
  stop(): void;
}

const sampleMs = 1000;
const samples = 10;

export function createAdmission(limits: AdmissionLimits): Admission {
  const slots = createSlots(limits.subscriptionsPerToken);
  const history = [performance.eventLoopUtilization()];
  let isBusy = false;
  const timer = setInterval(() => {
    const [oldest] = history;
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, oldest);
    isBusy = history.length === samples && utilization * 100 > limits.busyPercent;
    history.push(now);
    if (history.length > samples) history.shift();
  }, sampleMs).unref();

  return {
    // A runtime that is refused would be taken for one that is gone.
    isBusy: ({ kind }) => isBusy && kind !== 'RUN',
    enter: ({ accessKeyId }) => slots.enter(accessKeyId),
    stop: () => clearInterval(timer),
  };
}
