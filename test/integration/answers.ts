/** What the API answers, as far as the tests look at it. */

/** Where to call, and who calls. The address may change: it is read anew for each call. */
export interface Target {
  readonly url: string;
  readonly token: string;
}

export interface Answer<Data> {
  readonly data: Data | null | undefined;
  readonly errors?: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions?: Readonly<Record<string, unknown>>;
  }[];
}

/** What a mutation answered, whichever member of its union it is. */
export interface Outcome {
  readonly __typename: string;
  readonly code?: string;
  readonly message?: string;
  readonly operation?: { readonly id: string; readonly status: string } | null;
  readonly blockedBy?: { readonly key: string } | null;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  readonly allowedActions?: readonly string[];
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly stage: string | null;
  readonly exitCode: number | null;
  readonly logTail: string | null;
}

export interface InstanceNow {
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly sequence: number;
  readonly desiredState: string;
  readonly converged: boolean;
  readonly reachability: string;
  readonly unreachableBecause: string | null;
  readonly takesMessages: boolean | null;
  readonly takesInputCommands: boolean | null;
  readonly endpoints:
    | readonly {
        readonly kind: string;
        readonly url: string;
        readonly address: string;
        readonly port: number;
        readonly dnsName: string | null;
      }[]
    | null;
  readonly failure: Failure | null;
  readonly activeOperation: { readonly id: string; readonly kind: string } | null;
}

export interface HostNow {
  readonly id: string;
  readonly key: string;
  readonly state: string;
  readonly sequence: number;
  readonly removing: boolean;
  readonly failedStage: string | null;
  readonly address: string | null;
  readonly dnsName: string;
  readonly billedSince: string | null;
  readonly failure: Failure | null;
  readonly activeOperation: { readonly id: string; readonly kind: string } | null;
}

/** One row of the log: `greenhouse-1#3 INITIALIZING→STARTING`. */
export type Row = string;

export interface HistoryRow {
  readonly sequence: number;
  readonly from: string;
  readonly to: string;
}

export interface LogRow {
  readonly cursor: string;
  readonly sequence: number;
  readonly fromState: string;
  readonly toState: string;
  readonly resource: { readonly key: string };
}

export interface LogPage {
  readonly nodes: LogRow[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
