/** The frame of a resource's view: what it is, whether it is there at all, its state, and its commands. */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Link } from '../app/router.tsx';
import { type ResourceKind, StateSign } from '../part/state-sign.tsx';
import { duration, now, Time } from '../part/time.tsx';
import { CommandBar } from './command-bar.tsx';
import type { Commands } from './commands.ts';
import { type LiveOptions, type LiveResource, watchResource } from './live-resource.ts';
import { fieldOf, type Resource, type StateMachine } from './model.ts';
import './resource.css';

/** The resource of a key, read and kept current while the view is open. */
export function useResource<Detail extends Resource>(
  options: LiveOptions<Detail>,
): LiveResource<Detail> {
  const live = useMemo(() => watchResource(options), [options.kind, options.key]);
  useEffect(() => () => live.close(), [live]);
  return live;
}

/** Shows the detail, or why there is none. */
export function ResourcePage<Detail extends Resource>({
  kind,
  resourceKey,
  live,
  children,
}: {
  kind: ResourceKind;
  resourceKey: string;
  live: LiveResource<Detail>;
  children: (detail: Detail) => ComponentChildren;
}) {
  const detail = live.detail.value;
  const problem = live.problem.value;
  const noun = fieldOf[kind];
  if (detail === undefined)
    return (
      <div class="no-resource">
        <h1>{resourceKey}</h1>
        {problem ? (
          <p role="alert">
            The {noun} could not be read: {problem}
          </p>
        ) : (
          <p class="quiet">Reading …</p>
        )}
      </div>
    );
  if (detail === null)
    return (
      <div class="no-resource">
        <h1>{resourceKey}</h1>
        <p role="alert">
          There is no {noun} <code>{resourceKey}</code>. When one of that key is created, it is
          shown here.
        </p>
        <p>
          <Link href="/">All instances and hosts</Link>
        </p>
      </div>
    );
  return (
    <>
      {problem && (
        <p class="read-problem" role="alert">
          It could not be read again: {problem} Shown as of{' '}
          {live.readAt.value && <Time at={live.readAt.value} exact />}.
        </p>
      )}
      {children(detail)}
    </>
  );
}

export function ResourceHead({
  kind,
  resource,
  isUnconfirmed,
  machine,
  blocker,
  takenAlong,
  commands,
  children,
}: {
  kind: ResourceKind;
  resource: Resource;
  isUnconfirmed: boolean;
  machine: StateMachine | null;
  blocker: string | null;
  takenAlong?: string | null;
  commands: Commands;
  children: ComponentChildren;
}) {
  const { key, name, description, state, stateSince, archivedAt, labels } = resource;
  return (
    <header class="resource-head">
      <p class="quiet resource-kind">{kind === 'HOST' ? 'Host' : 'Instance'}</p>
      <h1>
        {key}
        {name !== key && <span class="resource-name quiet"> {name}</span>}
      </h1>
      {description && <p class="resource-description">{description}</p>}
      {archivedAt && (
        <p class="resource-archived" role="status">
          It was deleted <Time at={archivedAt} /> (<Time at={archivedAt} exact />
          ). What is shown is what is left of it.
        </p>
      )}
      <div class="resource-state">
        <span class="resource-state-sign" role="status">
          <StateSign kind={kind} state={state} isUnconfirmed={isUnconfirmed} />
        </span>
        <span>
          for {duration(now.value - Date.parse(stateSince))}, since <Time at={stateSince} exact />
        </span>
        {children}
      </div>
      {labels.length > 0 && (
        <ul class="resource-labels" aria-label="Labels">
          {labels.map((label) => (
            <li key={label.name}>
              {label.name}
              {label.value !== '' && `=${label.value}`}
            </li>
          ))}
        </ul>
      )}
      <CommandBar
        kind={kind}
        resource={resource}
        machine={machine}
        blocker={blocker}
        takenAlong={takenAlong}
        commands={commands}
      />
    </header>
  );
}
