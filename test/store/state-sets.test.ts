import { expect, test } from 'vitest';
import * as sets from '../../src/store/table/state-sets.ts';

// Typed by hand: SQL that is made from the facts must agree with it.
test('the sets of states in SQL', () => {
  expect({ ...sets }).toEqual({
    active: "('QUEUED', 'RUNNING')",
    downHosts: "('OFFLINE', 'FAILED_DEPLOYMENT')",
    liveHosts: "('RUNNING')",
    liveInstances: "('RUNNING', 'PAUSED')",
    watchedInstances:
      "('STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING', 'PAUSING', 'PAUSED')",
    dnsConfirmations: "(('CONFIGURING_DNS', 'DEPLOYING_CONTAINER'))",
  });
});
