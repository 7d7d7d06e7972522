/** What an instance lacks to be started, whatever its state. The rules: docs/lifecycle.md, "Editions". */
import type { InstanceAction } from './instance.ts';

export interface StartIssue {
  /** The path of the argument that names it. */
  readonly path: string;
  readonly message: string;
}

const starts: ReadonlySet<InstanceAction> = new Set([
  'DEPLOY',
  'START',
  'RESTART',
  'UPDATE_RUNTIME',
] as const);

/** Why this action cannot start the instance; none where the action starts nothing. */
export function startIssues(
  action: InstanceAction,
  instance: {
    readonly edition: string;
    /** Is there a version of its solution that it could run? */
    readonly published: boolean;
  },
): StartIssue[] {
  if (!starts.has(action)) return [];
  const messages: string[] = [];
  if (!instance.published) {
    messages.push(
      'Its solution has no published version. Publish one with publishSolutionVersion, then start again.',
    );
  }
  if (instance.edition === 'CLUSTER') {
    messages.push(
      'The Cluster edition needs a host on a cluster, and this server has no cluster driver. Use the App or Container edition.',
    );
  }
  return messages.map((message) => ({ path: 'input.instance', message }));
}
