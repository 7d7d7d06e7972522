/** The operation under way, or how the last one ended. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Link } from '../app/router.tsx';
import { CodeBlock } from '../part/code-block.tsx';
import { Facts } from '../part/facts.tsx';
import { Section } from '../part/section.tsx';
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import { duration, now, preciseDuration, Time } from '../part/time.tsx';
import { statusWord, words } from '../part/words.ts';
import { AttemptNote } from './command-bar.tsx';
import type { Commands } from './commands.ts';
import { FailureFacts } from './failure-card.tsx';
import { keepOpen } from './keep-open.ts';
import {
  addressOf,
  kindOf,
  type Operation,
  operationFields,
  type ShortOperation,
} from './model.ts';

const tones: Readonly<Record<string, string>> = {
  QUEUED: 'BUSY',
  RUNNING: 'BUSY',
  SUCCEEDED: 'GOOD',
  FAILED: 'ERROR',
  TIMED_OUT: 'ERROR',
};

export function OperationCard({
  kind,
  newest,
  shownFailure,
  commands,
}: {
  kind: ResourceKind;
  /** The newest operation; null: there was none. */
  newest: Operation | null;
  /** When the failure that is shown in full elsewhere happened. */
  shownFailure: string | null;
  commands: Commands;
}) {
  const operation = useFollowed(newest).value;
  if (!operation) return null;
  const isOver = operation.endedAt !== null;
  const { failure } = operation;
  const attempt = commands.attempts.value.cancel;
  return (
    <Section
      id="operation"
      title={isOver ? 'Last operation' : 'Operation under way'}
      tools={
        operation.cancellable && (
          <div class="command">
            <button
              type="button"
              aria-disabled={attempt?.status === 'SENDING'}
              onClick={() => commands.cancel('cancel', operation.id)}
            >
              Cancel the operation
            </button>
            {attempt && (
              <AttemptNote
                of="Cancel"
                attempt={attempt}
                onClose={() => commands.forget('cancel')}
              />
            )}
          </div>
        )
      }
    >
      <p class="operation-head">
        <strong>{words(operation.kind)}</strong> <OperationStatus status={operation.status} />{' '}
        <span class="quiet">{timesOf(operation)}</span>
      </p>
      {!isOver && <Phase kind={kind} operation={operation} />}
      <Facts
        facts={[
          ['Asked for by', operation.requestedBy.name],
          ['Because', operation.reason],
          ['At', <Time key="at" at={operation.createdAt} exact />],
          ['Needed by', operation.parent && <OperationLink operation={operation.parent} />],
          [
            'Needed',
            operation.children.length > 0 && (
              <ul class="bare">
                {operation.children.map((child) => (
                  <li key={child.id}>
                    <OperationLink operation={child} />
                  </li>
                ))}
              </ul>
            ),
          ],
        ]}
      />
      {failure && (
        <div class="operation-failure">
          <p class="failure-message">{failure.message}</p>
          {failure.at !== shownFailure && (
            <>
              <FailureFacts kind={kind} failure={failure} />
              {failure.logTail && <CodeBlock text={failure.logTail} label="last lines of output" />}
            </>
          )}
        </div>
      )}
    </Section>
  );
}

/** The operation as it is now: its progress is no event of the resource. */
function useFollowed(newest: Operation | null): Signal<Operation | null> {
  const shown = useSignal(newest);
  useEffect(() => {
    shown.value = newest;
  }, [newest]);
  const active = newest && newest.endedAt === null ? newest.id : null;
  useEffect(() => {
    if (!active) return;
    return keepOpen<{ operationUpdates: Operation }>(
      {
        query: `subscription Operation($id: ID!) {
          operationUpdates(operation: $id) { ${operationFields} }
        }`,
        variables: { id: active },
      },
      ({ data }) => {
        if (data) shown.value = data.operationUpdates;
      },
    );
  }, [active]);
  return shown;
}

function Phase({ kind, operation }: { kind: ResourceKind; operation: Operation }) {
  const { phase, progress, retrying, deadlineAt } = operation;
  const rest = deadlineAt ? Date.parse(deadlineAt) - now.value : null;
  return (
    <div class="phase">
      <span>
        {phase === null ? 'Waiting to begin' : phaseWords(kind, phase)}
        {progress !== null && `, ${Math.round(progress * 100)} %`}
        {rest !== null && (
          <span class="quiet">
            {rest > 0 ? `, times out in ${duration(rest)}` : ', its time is over'}
          </span>
        )}
      </span>
      {progress !== null && <progress value={progress} aria-label="Progress of the phase" />}
      {retrying && <p class="failure-message">Tried again: {retrying.message}</p>}
    </div>
  );
}

/** A state's own word; other phases have none in the table of states. */
function phaseWords(kind: ResourceKind, phase: string): string {
  const { word } = appearanceOf(kind, phase);
  return word === phase ? words(phase) : word;
}

function timesOf({ createdAt, endedAt }: Operation): string {
  const begin = Date.parse(createdAt);
  if (endedAt === null) return `for ${duration(now.value - begin)}`;
  return `after ${preciseDuration(Date.parse(endedAt) - begin)}`;
}

export function OperationStatus({ status }: { status: string }) {
  return (
    <span class="operation-status" data-tone={tones[status] ?? 'OFF'}>
      {statusWord(status)}
    </span>
  );
}

function OperationLink({ operation }: { operation: ShortOperation }) {
  const { kind, status, phase, resource } = operation;
  return (
    <>
      {words(kind)} of <Link href={addressOf(kindOf(resource), resource.key)}>{resource.key}</Link>{' '}
      <OperationStatus status={status} /> {phase && phaseWords(kindOf(resource), phase)}
    </>
  );
}
