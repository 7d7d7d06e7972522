/** Who may subscribe: so many subscriptions a token, and none while the server has no time left. */
import { performance } from 'node:perf_hooks';
import { createSlots } from '../../api/base/slots.ts';
import type { Viewer } from '../../api/base/viewer.ts';

export interface AdmissionLimits {
  readonly subscriptionsPerToken: number;
  /** Per cent of the event loop's time, over ten seconds. 100: never busy. */
  readonly busyPercent: number;
}

export interface Admission {
  /** Is the event loop so busy that a new subscription would be at the cost of those there are? */
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
    // A runtime that is kept out would be taken for one that is gone.
    isBusy: ({ kind }) => isBusy && kind !== 'RUN',
    enter: ({ accessKeyId }) => slots.enter(accessKeyId),
    stop: () => clearInterval(timer),
  };
}
