/** Operations as the view reads them, and in words. */

import type { Shape, Tone } from '../../lifecycle/appearance.ts';
import { request } from '../app/connection.ts';

export interface ResourceName {
  readonly __typename: string;
  readonly key: string;
}

export interface OperationRow {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly phase: string | null;
  readonly progress: number | null;
  readonly reason: string | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly deadlineAt: string | null;
  readonly cancellable: boolean;
  readonly requestedBy: { readonly kind: string; readonly name: string };
  /** With its present state. */
  readonly resource: ResourceName & { readonly stateName: string };
  readonly parent: { readonly kind: string; readonly resource: ResourceName } | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
}

export interface OperationPage {
  readonly totalCount: number;
  readonly nodes: readonly OperationRow[];
  readonly pageInfo: { readonly hasNextPage: boolean };
}

export async function readOperations(first: number, filter: object): Promise<OperationPage> {
  const { operations } = await request<{ operations: OperationPage }>(
    `query ($first: Int, $filter: OperationFilter) {
      operations(first: $first, filter: $filter) { totalCount pageInfo { hasNextPage } nodes {
        id kind status phase progress reason createdAt startedAt endedAt deadlineAt cancellable
        requestedBy { kind name } resource { __typename key stateName }
        parent { kind resource { __typename key } } failure { code message } } } }`,
    { first, filter },
  );
  return operations;
}

export const operationKinds = [
  ...['DEPLOY_INSTANCE', 'START_INSTANCE', 'PAUSE_INSTANCE', 'RESUME_INSTANCE', 'STOP_INSTANCE'],
  ...[
    'RESTART_INSTANCE',
    'UPDATE_RUNTIME',
    'DETACH_INSTANCE',
    'DEPLOY_HOST',
    'RESTART_HOST',
    'RESTART_CONTAINER',
  ],
  ...['REMOVE_HOST', 'SYNC_CONTAINER_TAGS'],
] as const;

export const statuses: Readonly<Record<string, { readonly tone: Tone; readonly shape: Shape }>> = {
  QUEUED: { tone: 'BUSY', shape: 'RING' },
  RUNNING: { tone: 'BUSY', shape: 'ARROW' },
  SUCCEEDED: { tone: 'GOOD', shape: 'DISC' },
  FAILED: { tone: 'ERROR', shape: 'TRIANGLE' },
  TIMED_OUT: { tone: 'ERROR', shape: 'CROSS' },
  CANCELLED: { tone: 'OFF', shape: 'SQUARE' },
  SUPERSEDED: { tone: 'OFF', shape: 'BARS' },
};
