/** A row of the fleet: what the table and the wall need of an instance or a host. */
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';

export interface Label {
  readonly name: string;
  readonly value: string;
}

export interface Row {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly labels: readonly Label[];
  readonly state: string;
  readonly since: string;
  /** Of two answers the one with the higher sequence is newer. */
  readonly sequence: number;
  readonly isError: boolean;
  /** Null: a host has none. */
  readonly desired: string | null;
  readonly isConverged: boolean;
  readonly isConfirmed: boolean;
  /** Null: reachability is OK. */
  readonly silent: string | null;
  readonly solution: string;
  /** Of the run, or the one that the next start takes. */
  readonly version: string;
  readonly host: string;
  readonly operation: string | null;
  readonly failure: string | null;
  /** Of a host. */
  readonly size: string;
  readonly address: string;
  /** Numbers within a key are ordered by their value. */
  readonly sortKey: string;
  /** Lower case: what is searched. */
  readonly text: string;
}

const operationFields = 'activeOperation { kind phase } failure { code message } archivedAt';

export const instanceFields = /* GraphQL */ `
  fragment InstanceRow on Instance {
    __typename id key name labels { name value } state: stateName stateSince sequence
    desiredState converged reachability unreachableBecause
    solution { key } solutionVersion { version } run { endedAt solutionVersion { version } }
    host { key } ${operationFields}
  }`;

export const hostFields = /* GraphQL */ `
  fragment HostRow on Host {
    __typename id key name labels { name value } state: stateName stateSince sequence
    size address removing ${operationFields}
  }`;

/** What the API answers for the fields above. */
export interface Answer {
  readonly __typename: string;
  readonly id: string;
  readonly key: string;
  readonly name: string;
  readonly labels: readonly Label[];
  readonly state: string;
  readonly stateSince: string;
  readonly sequence: number;
  readonly archivedAt: string | null;
  readonly activeOperation: { readonly kind: string; readonly phase: string | null } | null;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly desiredState?: string;
  readonly converged?: boolean;
  readonly reachability?: string;
  readonly unreachableBecause?: string | null;
  readonly solution?: { readonly key: string };
  readonly solutionVersion?: { readonly version: string } | null;
  readonly run?: {
    readonly endedAt: string | null;
    readonly solutionVersion: { readonly version: string } | null;
  } | null;
  readonly host?: { readonly key: string } | null;
  readonly size?: string;
  readonly address?: string | null;
  readonly removing?: boolean;
}

export function rowOf(answer: Answer): Row {
  const { key, name, labels, state, activeOperation, failure } = answer;
  const kind: ResourceKind = answer.__typename === 'Host' ? 'HOST' : 'INSTANCE';
  const solution = answer.solution?.key ?? '';
  const host = answer.host?.key ?? '';
  return {
    ...{ kind, id: answer.id, key, name, labels, state },
    since: answer.stateSince,
    sequence: answer.sequence,
    isError: appearanceOf(kind, state).tone === 'ERROR',
    desired: answer.desiredState ?? null,
    isConverged: answer.converged ?? true,
    isConfirmed: answer.reachability !== 'UNKNOWN',
    silent: answer.unreachableBecause ?? null,
    ...{ solution, host, version: versionOf(answer) },
    operation: activeOperation
      ? [words(activeOperation.kind), words(activeOperation.phase)?.toLowerCase()]
          .filter(Boolean)
          .join(': ')
      : answer.removing
        ? 'Being removed'
        : null,
    failure: failure ? `${failure.code}: ${failure.message}` : null,
    size: words(answer.size) ?? '',
    address: answer.address ?? '',
    sortKey: key.replace(/\d+/g, (digits) => digits.padStart(12, '0')),
    text: [key, name, solution, host, ...labels.map(({ name, value }) => `${name}=${value}`)]
      .join('\n')
      .toLowerCase(),
  };
}

function versionOf({ run, solutionVersion }: Answer): string {
  const running = run && run.endedAt === null ? run.solutionVersion : null;
  return running?.version ?? solutionVersion?.version ?? 'newest';
}

/** `WAITING_FOR_HOST`: Waiting for host. */
export function words(name: string | null | undefined): string | null {
  return name ? name.charAt(0) + name.slice(1).toLowerCase().replaceAll('_', ' ') : null;
}
