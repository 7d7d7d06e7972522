/**
 * The commands of a resource. Each carries what the person saw (`expectedSequence`) and a key that makes
 * its repeat safe. Nothing is shown as done before its event arrives.
 */
import { type Signal, signal } from '@preact/signals';
import { newIdempotencyKey, RequestError, request } from '../app/connection.ts';
import type { ResourceKind } from '../part/state-sign.tsx';
import { fieldOf, type Resource, type ResourceName } from './model.ts';

export interface CommandKind {
  readonly action: string;
  readonly word: string;
  /** The mutation. */
  readonly field: string;
  readonly force?: true;
  /** Asked before, with this text: what it does that can not be undone. */
  readonly warning?: string;
  /** What its input has beside the rest. */
  readonly input?: object;
}

/** How the last sending of a command went. */
export type Attempt =
  | { readonly status: 'SENDING' }
  | { readonly status: 'REFUSED'; readonly refusal: Refusal }
  /** Nothing is known of what was done; `repeat` sends the very same again. */
  | { readonly status: 'UNKNOWN'; readonly message: string; readonly repeat: () => void };

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly issues?: readonly { readonly path: string; readonly message: string }[];
  readonly blockedBy?: ResourceName | null;
  readonly retryAfterSeconds?: number | null;
}

const command = (action: string, word: string, field: string, more: Partial<CommandKind> = {}) =>
  ({ action, word, field, ...more }) satisfies CommandKind;

export const commandsOf: Readonly<Record<ResourceKind, readonly CommandKind[]>> = {
  INSTANCE: [
    command('DEPLOY', 'Deploy', 'deployInstance'),
    command('START', 'Start', 'startInstance'),
    command('PAUSE', 'Pause', 'pauseInstance'),
    command('RESUME', 'Resume', 'resumeInstance'),
    command('STOP', 'Stop', 'stopInstance'),
    command('RESTART', 'Restart', 'restartInstance'),
    command('DETACH', 'Detach', 'detachInstance'),
    command('FORCE_STOP', 'Force stop', 'stopInstance', {
      force: true,
      warning:
        'The operation under way is superseded, and an instance that is stopping already is killed. Messages that it has accepted and not finished may be lost.',
    }),
    command('DELETE', 'Delete', 'deleteInstance', {
      warning:
        'The instance is archived for good. Its key can not be used again; its device repository is free, its host stays.',
    }),
  ],
  HOST: [
    command('DEPLOY', 'Deploy', 'deployHost'),
    command('RESTART', 'Restart', 'restartHost'),
    command('RESTART_CONTAINER', 'Restart container', 'restartContainer'),
    command('REMOVE', 'Remove', 'removeHost', {
      warning:
        'No instance on it is live. The compute is released and its DNS record goes. The host can be deployed again.',
    }),
    command('FORCE_REMOVE', 'Force remove', 'removeHost', {
      force: true,
      warning:
        'The live instances on it are stopped, the operation under way is superseded, and the compute is released. Messages that they have accepted and not finished may be lost.',
    }),
    command('DELETE', 'Delete', 'deleteHost', {
      warning: 'The host is archived for good. Its key can not be used again.',
    }),
  ],
};

/** A mutation and its input. Sent again unchanged it does nothing twice. */
interface Sending {
  readonly document: string;
  readonly input: object;
}

/** What a person saw when they decided. */
export type Seen = Pick<Resource, 'key' | 'sequence' | 'version'>;

export interface Commands {
  readonly kinds: readonly CommandKind[];
  /** The last attempt of each button that is not settled, by the name of the button. */
  readonly attempts: Signal<Readonly<Record<string, Attempt>>>;
  /** Why, for the history: goes with the next command. */
  readonly reason: Signal<string>;
  send(button: string, command: CommandKind, seen: Seen): void;
  cancel(button: string, operation: string): void;
  /** Takes what is said of the last attempt away. */
  forget(button: string): void;
}

export function createCommands(kind: ResourceKind): Commands {
  const attempts = signal<Readonly<Record<string, Attempt>>>({});
  const reason = signal('');
  const note = (button: string, attempt?: Attempt) => {
    const { [button]: _, ...others } = attempts.peek();
    attempts.value = attempt ? { ...others, [button]: attempt } : others;
  };

  async function run(button: string, sending: Sending): Promise<void> {
    note(button, { status: 'SENDING' });
    try {
      const { document, input } = sending;
      const { result } = await request<{ result: Refusal }>(document, { input });
      if (result.code !== undefined) return note(button, { status: 'REFUSED', refusal: result });
      note(button);
      reason.value = '';
    } catch (error) {
      const { code, message } = error as RequestError;
      if (error instanceof RequestError && isRefusal(code))
        return note(button, { status: 'REFUSED', refusal: { code, message } });
      note(button, { status: 'UNKNOWN', message, repeat: () => void run(button, sending) });
    }
  }
  const common = () => ({
    idempotencyKey: newIdempotencyKey(),
    reason: reason.peek().trim() || null,
  });

  return {
    kinds: commandsOf[kind],
    attempts,
    reason,
    send(button, { action, field, force, input: more }, { key, sequence, version }) {
      const guard =
        action === 'DELETE' ? { expectedVersion: version } : { expectedSequence: sequence };
      const input = {
        [fieldOf[kind]]: key,
        ...guard,
        ...(force && { force }),
        ...more,
        ...common(),
      };
      void run(button, { document: documentOf(field), input });
    },
    cancel(button, operation) {
      const input = { operation, ...common() };
      void run(button, { document: documentOf('cancelOperation'), input });
    },
    forget: (button) => note(button),
  };
}

const documentOf = (field: string): string => {
  const input = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  return `mutation Command($input: ${input}!) {
    result: ${field}(input: $input) {
      __typename
      ... on UserError { code message }
      ... on CommandRefused { retryAfterSeconds blockedBy { __typename key } }
      ... on InvalidInput { issues { path message } }
    }
  }`;
};

/** Was nothing done for certain? */
const isRefusal = (code: string): boolean =>
  !['UNREACHABLE', 'UNAVAILABLE', 'INTERNAL'].includes(code);
