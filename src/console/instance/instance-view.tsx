/** An instance: its state and commands, where it is in its lifecycle, its history, logs and devices. */
import { useMemo } from 'preact/hooks';
import { Link } from '../app/router.tsx';
import { appearanceOf, StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { CommandButton } from '../resource/command-bar.tsx';
import { commandsOf, createCommands } from '../resource/commands.ts';
import { FailureCard } from '../resource/failure-card.tsx';
import { MachinePicture, useMachine } from '../resource/machine-picture.tsx';
import { addressOf } from '../resource/model.ts';
import { OperationCard } from '../resource/operation-card.tsx';
import { ResourceHead, ResourcePage, useResource } from '../resource/resource-page.tsx';
import { HistorySection, useTimeline } from '../timeline/history-section.tsx';
import { Configuration, Run } from './configuration.tsx';
import { Devices } from './devices.tsx';
import { Endpoints, useDefinition } from './endpoints.tsx';
import { type Instance, instanceQuery } from './instance.ts';
import { Logs } from './logs.tsx';
import { Update } from './update.tsx';
import './instance.css';

export function InstanceView({ path }: { path: readonly string[] }) {
  const [, key = ''] = path;
  return <InstancePage key={key} instanceKey={key} />;
}

function InstancePage({ instanceKey }: { instanceKey: string }) {
  const live = useResource<Instance>({
    kind: 'INSTANCE',
    key: instanceKey,
    query: instanceQuery,
    dependsOn: ({ host }) => (host ? { HOST: [host.key] } : {}),
  });
  return (
    <ResourcePage kind="INSTANCE" resourceKey={instanceKey} live={live}>
      {(instance) => <Page instance={instance} />}
    </ResourcePage>
  );
}

const restart = commandsOf.INSTANCE.find(({ action }) => action === 'RESTART')!;

function Page({ instance }: { instance: Instance }) {
  const { key, host, failure, state } = instance;
  const machine = useMachine('INSTANCE');
  const timeline = useTimeline('INSTANCE', key)!;
  const hostTimeline = useTimeline('HOST', host?.key ?? null);
  const commands = useMemo(() => createCommands('INSTANCE'), [key]);
  const definition = useDefinition(instance);
  const blocker = blockerOf(instance);
  const about = { kind: 'INSTANCE', resource: instance, machine, blocker, commands } as const;
  return (
    <>
      <ResourceHead {...about} isUnconfirmed={instance.reachability === 'UNKNOWN'}>
        <StateNotes instance={instance} />
      </ResourceHead>
      <div class="resource-grid">
        <div class="resource-column resource-now">
          {failure && (
            <FailureCard kind="INSTANCE" failure={failure}>
              {instance.allowedActions.includes('RESTART') && (
                <CommandButton {...about} command={restart} place="failure" isPrimary />
              )}
            </FailureCard>
          )}
          <OperationCard
            kind="INSTANCE"
            newest={instance.operations.nodes[0] ?? null}
            shownFailure={failure?.at ?? null}
            commands={commands}
          />
          {machine && (
            <MachinePicture
              kind="INSTANCE"
              machine={machine}
              state={state}
              isUnconfirmed={instance.reachability === 'UNKNOWN'}
              transitions={timeline.transitions.value}
            />
          )}
        </div>
        <div class="resource-column resource-past">
          <HistorySection
            kind="INSTANCE"
            resource={instance}
            timeline={timeline}
            confirmedUntil={instance.reachability === 'UNKNOWN' ? instance.lastSeenAt : null}
            host={
              host && hostTimeline && { key: host.key, state: host.state, timeline: hostTimeline }
            }
          />
          <Logs instance={key} />
        </div>
        <div class="resource-column resource-side">
          <Endpoints endpoints={instance.endpoints} definition={definition} />
          <Devices repository={instance.deviceRepository} />
          <Run instance={instance} />
          <Update instance={instance} {...{ machine, blocker, commands }} />
          <Configuration instance={instance} definition={definition} />
        </div>
      </div>
    </>
  );
}

function StateNotes({ instance }: { instance: Instance }) {
  const { desiredState, converged, archivedAt } = instance;
  const { reachability, unreachableBecause, lastSeenAt, host } = instance;
  return (
    <>
      {archivedAt === null && (
        <span>
          Desired: {appearanceOf('INSTANCE', desiredState).word}
          {!converged && ', not there yet'}
        </span>
      )}
      {reachability === 'UNKNOWN' && (
        <strong class="not-confirmed">
          Not confirmed: {unreachableBecause === 'HOST' ? 'its host' : 'its runtime'} does not
          answer
        </strong>
      )}
      <span>
        {instance.takesMessages === null
          ? 'Messages: not known'
          : instance.takesMessages
            ? 'Takes messages'
            : 'Takes no messages'}
      </span>
      {lastSeenAt && (
        <span class="quiet">
          Runtime heard <Time at={lastSeenAt} />
        </span>
      )}
      <span>
        Host:{' '}
        {host ? (
          <>
            <Link href={addressOf('HOST', host.key)}>{host.key}</Link>{' '}
            <StateSign kind="HOST" state={host.state} />
            {host.removing && ' being removed'}
          </>
        ) : (
          'none'
        )}
      </span>
    </>
  );
}

/** What stands in the way of a command that the state would allow. */
function blockerOf({ host }: Instance): string | null {
  if (!host) return 'It has no host: assign one first.';
  if (host.removing) return `Its host ${host.key} is being removed.`;
  if (host.state === 'RUNNING') return null;
  return `Its host ${host.key} is ${appearanceOf('HOST', host.state).word}, not Running.`;
}
