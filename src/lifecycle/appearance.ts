/** How a page shows each state: by a word, a tone and a shape, so that no one of them has to be seen. */
import type { HostState } from './host.ts';
import type { InstanceState } from './instance.ts';

/** What a state means to an operator: well, on its way, held on purpose, not there, or in error. */
export type Tone = 'GOOD' | 'BUSY' | 'HELD' | 'OFF' | 'ERROR';

export type Shape = 'DISC' | 'ARROW' | 'BARS' | 'SQUARE' | 'RING' | 'TRIANGLE' | 'CROSS';

export interface Appearance {
  readonly word: string;
  readonly tone: Tone;
  readonly shape: Shape;
}

const busy = (word: string): Appearance => ({ word, tone: 'BUSY', shape: 'ARROW' });
const failed = (word: string): Appearance => ({ word, tone: 'ERROR', shape: 'TRIANGLE' });

export const instanceAppearance: Readonly<Record<InstanceState, Appearance>> = {
  OFFLINE: { word: 'Offline', tone: 'OFF', shape: 'RING' },
  STARTING_RUNTIME: busy('Starting runtime'),
  INITIALIZING: busy('Initializing'),
  STARTING: busy('Starting'),
  RUNNING: { word: 'Running', tone: 'GOOD', shape: 'DISC' },
  PAUSING: busy('Pausing'),
  PAUSED: { word: 'Paused', tone: 'HELD', shape: 'BARS' },
  STOPPING: busy('Stopping'),
  STOPPED: { word: 'Stopped', tone: 'OFF', shape: 'SQUARE' },
  FAILED_TO_INITIALIZE: failed('Failed to initialize'),
  FAILED_TO_START: failed('Failed to start'),
  FATAL_ERROR: { word: 'Fatal error', tone: 'ERROR', shape: 'CROSS' },
};

export const hostAppearance: Readonly<Record<HostState, Appearance>> = {
  OFFLINE: { word: 'Offline', tone: 'OFF', shape: 'RING' },
  DEPLOYING: busy('Deploying'),
  CONFIGURING_DNS: busy('Configuring DNS'),
  DEPLOYING_CONTAINER: busy('Deploying container'),
  STARTING_CONTAINER: busy('Starting container'),
  RUNNING: { word: 'Running', tone: 'GOOD', shape: 'DISC' },
  RESTARTING_HOST: busy('Restarting host'),
  RESTARTING_CONTAINER: busy('Restarting container'),
  FAILED_DEPLOYMENT: failed('Failed deployment'),
  FAILED_HEALTH_CHECK: { word: 'Failed health check', tone: 'ERROR', shape: 'CROSS' },
};
