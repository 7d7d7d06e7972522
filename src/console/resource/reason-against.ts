/** Why a command is not allowed now, in words. */
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import type { Resource, StateMachine } from './model.ts';

/** Null: it is allowed. `blocker`: what else stands in the way, as a host that is not running. */
export function reasonAgainst(
  action: string,
  about: {
    readonly kind: ResourceKind;
    readonly resource: Resource;
    readonly machine: StateMachine | null;
    readonly blocker: string | null;
  },
): string | null {
  const { kind, resource, machine, blocker } = about;
  if (resource.archivedAt) return 'It is deleted.';
  if (resource.allowedActions.includes(action)) return null;
  const wordOf = (state: string) => appearanceOf(kind, state).word;
  const now = wordOf(resource.state);
  const cells = machine?.commands.find((each) => each.action === action)?.cells ?? [];
  const cell = cells.find(({ state }) => state === resource.state);
  switch (cell?.code) {
    case 'ALREADY_IN_STATE':
      return `It is ${now} already.`;
    case 'RESTART_REQUIRED':
      return `It is in an error state, ${now}: Restart is the way out.`;
    case 'REMOVE_REQUIRED':
      return 'Its deployment failed: Remove it, then Deploy it again.';
    case 'OPERATION_IN_PROGRESS':
      return 'An operation is under way: wait for it, or force.';
    default:
  }
  if (resource.activeOperation) return 'An operation is under way: wait for it, or force.';
  if (action === 'UPDATE_RUNTIME' && cell?.outcome === 'ACCEPTED')
    return blocker ?? 'The provider of its host runs the runtime that comes with the server.';
  if (cell?.outcome === 'ACCEPTED') return blocker ?? 'Not now.';
  const from = cells.filter(({ outcome }) => outcome === 'ACCEPTED').map(({ state }) => state);
  if (from.length === 0 || from.length > mostListed) return `Not while it is ${now}.`;
  return `Not while it is ${now}; only when it is ${listed(from.map(wordOf))}.`;
}

const mostListed = 4;

const listed = (words: readonly string[]): string =>
  [words.slice(0, -1).join(', '), words.at(-1)].filter(Boolean).join(' or ');
