/** The commands of a resource as buttons: what is allowed now, and why not what is not. */
import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import { connection } from '../app/connection.ts';
import { Link } from '../app/router.tsx';
import { ConfirmDialog } from '../part/confirm-dialog.tsx';
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import type { Attempt, CommandKind, Commands, Seen } from './commands.ts';
import { addressOf, kindOf, type Resource, type StateMachine } from './model.ts';
import { reasonAgainst } from './reason-against.ts';

interface About {
  readonly kind: ResourceKind;
  readonly resource: Resource;
  readonly machine: StateMachine | null;
  readonly blocker: string | null;
  /** What a forced command takes along. */
  readonly takenAlong?: string | null;
  readonly commands: Commands;
}

export function CommandBar(about: About) {
  const { resource, commands } = about;
  /** The command that is pointed at or has the focus. */
  const pointed = useSignal<CommandKind | null>(null);
  const against = pointed.value && reasonAgainst(pointed.value.action, about);
  const id = useId();
  const suggested = suggestedOf(resource);
  return (
    <section class="commands" aria-label="Commands">
      <div class="command-buttons">
        {commands.kinds.map((command) => (
          <CommandButton
            key={command.action}
            {...about}
            command={command}
            place="bar"
            isPrimary={command.action === suggested}
            onPoint={(isPointed) => {
              if (isPointed) pointed.value = command;
              else if (pointed.peek() === command) pointed.value = null;
            }}
          />
        ))}
      </div>
      <div class="command-reason">
        <label for={id}>Reason, for the history (optional)</label>
        <input
          id={id}
          maxLength={500}
          autocomplete="off"
          value={commands.reason.value}
          onInput={({ currentTarget }) => {
            commands.reason.value = currentTarget.value;
          }}
        />
      </div>
      <p class="command-hint quiet">{against && `${pointed.value?.word}: ${against}`}</p>
    </section>
  );
}

/** The command that a person most likely came for. */
function suggestedOf({ allowedActions, failure }: Resource): string | undefined {
  const order = failure ? ['RESTART', 'REMOVE', 'DEPLOY'] : ['RESUME', 'DEPLOY', 'START'];
  return order.find((action) => allowedActions.includes(action));
}

/** `place`: where the button is, so that its refusal is shown there. */
export function CommandButton({
  command,
  place,
  isPrimary = false,
  onPoint,
  ...about
}: About & {
  command: CommandKind;
  place: string;
  isPrimary?: boolean;
  onPoint?: (isPointed: boolean) => void;
}) {
  const { resource, commands } = about;
  const asked = useSignal<Seen | null>(null);
  const id = useId();
  const name = `${place} ${command.action}`;
  const attempt = commands.attempts.value[name];
  const against = reasonAgainst(command.action, about);
  const isSending = attempt?.status === 'SENDING';
  const point = () => onPoint?.(true);
  const leave = () => onPoint?.(false);
  const style = isPrimary ? 'primary' : command.warning ? 'danger' : undefined;
  return (
    <div class="command">
      <button
        type="button"
        class={style}
        aria-disabled={against !== null || isSending}
        aria-busy={isSending}
        aria-describedby={against ? id : undefined}
        onFocus={point}
        onBlur={leave}
        onMouseEnter={point}
        onMouseLeave={leave}
        onClick={() => {
          point();
          if (against !== null || isSending) return;
          const { key, sequence, version } = resource;
          if (command.warning) asked.value = { key, sequence, version };
          else commands.send(name, command, resource);
        }}
      >
        {command.word}
      </button>
      {against && (
        <span class="unseen" id={id}>
          {against}
        </span>
      )}
      {attempt && !isSending && (
        <AttemptNote of={command.word} attempt={attempt} onClose={() => commands.forget(name)} />
      )}
      {asked.value && (
        <ConfirmDialog
          title={`${command.word} ${resource.key}?`}
          typed={resource.key}
          action={command.word}
          onClose={() => {
            asked.value = null;
          }}
          onConfirm={() => {
            if (asked.peek()) commands.send(name, command, asked.peek()!);
          }}
        >
          <p>{command.warning}</p>
          {command.force && about.takenAlong && <p>{about.takenAlong}</p>}
          <p role="status">{standing(about, asked.value)}</p>
        </ConfirmDialog>
      )}
    </div>
  );
}

/** Where the resource is while a dialog asks, as far as that is confirmed. */
function standing({ kind, resource }: About, asked: Seen): string {
  const { word } = appearanceOf(kind, resource.state);
  if (connection.value !== 'LIVE') return `It was ${word} when the connection was lost.`;
  return asked.sequence === resource.sequence
    ? `It is ${word} now.`
    : `It has changed since this was asked: it is ${word} now. Ask again.`;
}

/** What came of a command, beside its button, until it is closed. */
export function AttemptNote({
  of,
  attempt,
  onClose,
}: {
  /** The word on the button. */
  of: string;
  attempt: Attempt;
  onClose: () => void;
}) {
  if (attempt.status === 'SENDING') return null;
  return (
    <div
      class="attempt"
      data-status={attempt.status}
      role="alert"
      onKeyDown={({ key }) => {
        if (key === 'Escape') onClose();
      }}
    >
      {attempt.status === 'REFUSED' ? (
        <>
          <strong>{of}: refused</strong> <code>{attempt.refusal.code}</code>
          <p>{attempt.refusal.message}</p>
          {attempt.refusal.issues && (
            <ul>
              {attempt.refusal.issues.map(({ path, message }) => (
                <li key={path}>
                  <code>{path}</code> {message}
                </li>
              ))}
            </ul>
          )}
          {attempt.refusal.blockedBy && (
            <p>
              In the way:{' '}
              <Link
                href={addressOf(kindOf(attempt.refusal.blockedBy), attempt.refusal.blockedBy.key)}
              >
                {attempt.refusal.blockedBy.key}
              </Link>
            </p>
          )}
        </>
      ) : (
        <>
          <strong>{of}: not known whether it was done</strong>
          <p>{attempt.message} Sending the very same again does nothing twice.</p>
          <button type="button" class="primary" onClick={attempt.repeat}>
            Send the same again
          </button>{' '}
        </>
      )}
      <button type="button" onClick={onClose}>
        Close
      </button>
    </div>
  );
}
