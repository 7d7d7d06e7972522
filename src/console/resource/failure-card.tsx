/** Why a resource is in an error state, and what leads out of it. */
import type { ComponentChildren } from 'preact';
import { CodeBlock } from '../part/code-block.tsx';
import { Section } from '../part/section.tsx';
import { appearanceOf, type ResourceKind } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { words } from '../part/words.ts';
import type { Failure } from './model.ts';

/** `children`: the command that leads out. */
export function FailureCard({
  kind,
  failure,
  children,
}: {
  kind: ResourceKind;
  failure: Failure;
  children?: ComponentChildren;
}) {
  return (
    <Section id="failure" title="Failure" tools={children}>
      <p class="failure-message">{failure.message}</p>
      <FailureFacts kind={kind} failure={failure} />
      {failure.logTail && <CodeBlock text={failure.logTail} label="last lines of output" />}
    </Section>
  );
}

export function FailureFacts({ kind, failure }: { kind: ResourceKind; failure: Failure }) {
  const { code, stage, exitCode, at, retryable } = failure;
  const stageWord = stage && appearanceOf(kind, stage).word;
  return (
    <p class="quiet failure-facts">
      <code>{code}</code>
      {stage && ` · while ${stageWord === stage ? words(stage) : stageWord}`}
      {exitCode !== null && ` · exit code ${exitCode}`}
      {retryable && ' · may pass when tried again'}
      {' · '}
      <Time at={at} /> (<Time at={at} exact />)
    </p>
  );
}
