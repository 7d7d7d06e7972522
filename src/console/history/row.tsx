/** One transition: when, what, from where to where, who, and why. */
import type { ResourceName } from '../operations/operation.ts';
import { ResourceLink } from '../operations/resource-link.tsx';
import { type ResourceKind, StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { words } from '../part/words.ts';
import type { Transition } from './transition.ts';

const kindOf = ({ __typename }: ResourceName): ResourceKind =>
  __typename === 'Host' ? 'HOST' : 'INSTANCE';

export function Row({ transition }: { transition: Transition }) {
  const { at, resource, sequence, fromState, toState, actor, details } = transition;
  const kind = kindOf(resource);
  const hasDetails = Object.keys(details).length > 0;
  return (
    <tr>
      <td>
        <Time at={at} exact />
        <div class="quiet small">
          <Time at={at} />
        </div>
      </td>
      <td>
        <ResourceLink resource={resource} /> <span class="quiet small">#{sequence}</span>
      </td>
      <td>
        <StateSign kind={kind} state={fromState} />
      </td>
      <td>
        <StateSign kind={kind} state={toState} />
      </td>
      <td>
        <Who actor={actor} />
      </td>
      <td>
        <Why transition={transition} />
        {hasDetails && (
          <details>
            <summary>Details</summary>
            <pre>{JSON.stringify(details, null, 2)}</pre>
          </details>
        )}
      </td>
    </tr>
  );
}

/** A person or a program by its name; a part of the system by what it is. */
function Who({ actor: { kind, name } }: { actor: Transition['actor'] }) {
  if (kind === 'USER') return <bdi>{name}</bdi>;
  const what = words(kind);
  const isSaid = name.toLowerCase() === what.toLowerCase();
  return (
    <>
      {what}
      {!isSaid && (
        <span class="quiet small" title={name}>
          {' '}
          {name.replace(/-[0-9a-f]{4}-[0-9a-f-]+$/, '')}
        </span>
      )}
    </>
  );
}

function Why({ transition: { operation, causedBy } }: { transition: Transition }) {
  const cause = causedBy?.transition;
  const behind = causedBy?.operation;
  return (
    <>
      {operation && words(operation.kind)}
      {operation?.reason && (
        <>
          {' '}
          <q>{operation.reason}</q>
        </>
      )}
      {cause && (
        <div class="small">
          because <ResourceLink resource={cause.resource} /> became{' '}
          <StateSign kind={kindOf(cause.resource)} state={cause.toState} />
        </div>
      )}
      {!cause && behind && (
        <div class="small">
          because of {words(behind.kind).toLowerCase()} of{' '}
          <ResourceLink resource={behind.resource} />
        </div>
      )}
    </>
  );
}
