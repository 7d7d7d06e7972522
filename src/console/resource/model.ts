/** What the views of an instance and of a host read alike: the selections, and the types of their data. */
import type { ResourceKind } from '../part/state-sign.tsx';

export interface Actor {
  readonly kind: string;
  readonly name: string;
}

export interface ResourceName {
  readonly __typename: 'Instance' | 'Host';
  readonly key: string;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly stage: string | null;
  readonly exitCode: number | null;
  readonly retryable: boolean;
  readonly at: string;
  readonly logTail: string | null;
}

export interface ShortOperation {
  readonly id: string;
  readonly kind: string;
  readonly status: string;
  readonly phase: string | null;
  readonly progress: number | null;
  readonly resource: ResourceName;
}

export interface Operation extends ShortOperation {
  readonly requestedBy: Actor;
  readonly reason: string | null;
  readonly parent: ShortOperation | null;
  readonly children: readonly ShortOperation[];
  readonly failure: Failure | null;
  /** What failed, and is tried again. */
  readonly retrying: Pick<Failure, 'message'> | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly deadlineAt: string | null;
  readonly cancellable: boolean;
}

export interface Transition {
  readonly id: string;
  readonly sequence: number;
  readonly fromState: string;
  readonly toState: string;
  readonly at: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly actor: Actor;
  readonly operation: {
    readonly id: string;
    readonly kind: string;
    readonly reason: string | null;
    readonly requestedBy: Actor;
  } | null;
  readonly causedBy: {
    readonly operation: Pick<ShortOperation, 'id' | 'kind' | 'resource'> | null;
    readonly transition: {
      readonly fromState: string;
      readonly toState: string;
      readonly resource: ResourceName;
    } | null;
  } | null;
}

/** What every detail has. */
export interface Resource {
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly description: string | null;
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly state: string;
  readonly stateSince: string;
  readonly sequence: number;
  readonly version: number;
  readonly allowedActions: readonly string[];
  readonly failure: Failure | null;
  readonly activeOperation: { readonly id: string; readonly kind: string } | null;
  /** The newest first. */
  readonly operations: { readonly nodes: readonly Operation[] };
  readonly billingSubscription: Named | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly archivedAt: string | null;
}

export interface Named {
  readonly key: string;
  readonly name: string;
}

export interface StateMachine {
  readonly states: readonly {
    readonly name: string;
    readonly class: string;
    readonly description: string;
    readonly deadlineSeconds: number | null;
  }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly trigger: string;
  }[];
  readonly commands: readonly {
    readonly action: string;
    readonly cells: readonly {
      readonly state: string;
      readonly outcome: string;
      readonly code: string | null;
    }[];
  }[];
}

const shortOperation = 'id kind status phase progress resource { __typename key }';
const failureFields = 'code message stage exitCode retryable at logTail';

export const operationFields = `${shortOperation} requestedBy { kind name } reason
  parent { ${shortOperation} } children { ${shortOperation} } failure { ${failureFields} }
  retrying { message } createdAt startedAt endedAt deadlineAt cancellable`;

export const resourceFields = `id key name description labels { name value } state: stateName
  stateSince sequence version allowedActions failure { ${failureFields} }
  activeOperation { id kind } operations(first: 30) { nodes { ${operationFields} } }
  billingSubscription { key name } createdAt updatedAt archivedAt`;

export const transitionFields = `id sequence fromState toState at details actor { kind name }
  operation { id kind reason requestedBy { kind name } }
  causedBy {
    operation { id kind resource { __typename key } }
    transition { fromState toState resource { __typename key } }
  }`;

export const machineQuery = `query Machine($kind: ResourceKind!) {
  stateMachine(kind: $kind) {
    states { name class description deadlineSeconds }
    edges { from to trigger }
    commands { action cells { state outcome code } }
  }
}`;

/** The name of a resource in documents: `instance(instance: …)`, `hosts`, … */
export const fieldOf: Readonly<Record<ResourceKind, 'instance' | 'host'>> = {
  INSTANCE: 'instance',
  HOST: 'host',
};

export const kindOf = ({ __typename }: ResourceName): ResourceKind =>
  __typename === 'Host' ? 'HOST' : 'INSTANCE';

/** The address of its view. */
export const addressOf = (kind: ResourceKind, key: string): string =>
  `/${fieldOf[kind]}s/${encodeURIComponent(key)}`;
