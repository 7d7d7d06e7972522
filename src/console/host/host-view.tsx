/** A host: its state and commands, its health checks and history, its instances, DNS and billing. */
import { useMemo } from 'preact/hooks';
import { appearanceOf } from '../part/state-sign.tsx';
import { duration, now } from '../part/time.tsx';
import { CommandButton } from '../resource/command-bar.tsx';
import { commandsOf, createCommands } from '../resource/commands.ts';
import { FailureCard } from '../resource/failure-card.tsx';
import { MachinePicture, useMachine } from '../resource/machine-picture.tsx';
import { OperationCard } from '../resource/operation-card.tsx';
import { ResourceHead, ResourcePage, useResource } from '../resource/resource-page.tsx';
import { HistorySection, useTimeline } from '../timeline/history-section.tsx';
import { HealthChecks } from './health-checks.tsx';
import { type Host, hostQuery } from './host.ts';
import { Billing, Compute, Dns } from './host-facts.tsx';
import { HostInstances } from './host-instances.tsx';
import './host.css';

export function HostView({ path }: { path: readonly string[] }) {
  const [, key = ''] = path;
  return <HostPage key={key} hostKey={key} />;
}

function HostPage({ hostKey }: { hostKey: string }) {
  const live = useResource<Host>({
    kind: 'HOST',
    key: hostKey,
    query: hostQuery,
    dependsOn: ({ instances }) => ({ INSTANCE: instances.nodes.map(({ key }) => key) }),
  });
  return (
    <ResourcePage kind="HOST" resourceKey={hostKey} live={live}>
      {(host) => <Page host={host} />}
    </ResourcePage>
  );
}

/** What leads out of an error state. */
const waysOut = commandsOf.HOST.filter(({ action }) => ['RESTART', 'REMOVE'].includes(action));

function Page({ host }: { host: Host }) {
  const { key, failure, state } = host;
  const machine = useMachine('HOST');
  const timeline = useTimeline('HOST', key)!;
  const commands = useMemo(() => createCommands('HOST'), [key]);
  const live = liveOn(host);
  const about = {
    kind: 'HOST',
    resource: host,
    machine,
    blocker: blockerOf(host),
    takenAlong: live && `Live on it now: ${live}.`,
    commands,
  } as const;
  const out = waysOut.find(({ action }) => host.allowedActions.includes(action));
  return (
    <>
      <ResourceHead {...about} isUnconfirmed={false}>
        <StateNotes host={host} />
      </ResourceHead>
      <div class="resource-grid">
        <div class="resource-column resource-now">
          {failure && (
            <FailureCard kind="HOST" failure={failure}>
              {out && <CommandButton {...about} command={out} place="failure" isPrimary />}
            </FailureCard>
          )}
          <OperationCard
            kind="HOST"
            newest={host.operations.nodes[0] ?? null}
            shownFailure={failure?.at ?? null}
            commands={commands}
          />
          <HostInstances instances={host.instances} />
          {machine && (
            <MachinePicture
              kind="HOST"
              machine={machine}
              state={state}
              isUnconfirmed={false}
              transitions={timeline.transitions.value}
            />
          )}
        </div>
        <div class="resource-column resource-past">
          <HistorySection
            kind="HOST"
            resource={host}
            timeline={timeline}
            confirmedUntil={null}
            host={null}
          />
        </div>
        <div class="resource-column resource-side">
          <HealthChecks host={host} timeline={timeline} />
          <Compute host={host} />
          <Dns host={host} />
          <Billing host={host} />
        </div>
      </div>
    </>
  );
}

function StateNotes({ host }: { host: Host }) {
  const { removing, failedStage, billedSince } = host;
  return (
    <>
      {removing && (
        <strong class="removing">
          Being removed: the state stays until the compute is released.
        </strong>
      )}
      {failedStage && <span>Failed while {appearanceOf('HOST', failedStage).word}</span>}
      <span class="quiet">
        {billedSince ? `Billed for ${duration(now.value - Date.parse(billedSince))}` : 'Not billed'}
      </span>
    </>
  );
}

const liveStates = [
  ...['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'],
  ...['PAUSING', 'PAUSED', 'STOPPING'],
];

function liveOn({ instances }: Host): string | null {
  const live = instances.nodes.filter(({ state }) => liveStates.includes(state));
  return live.length > 0 ? live.map(({ key }) => key).join(', ') : null;
}

/** What stands in the way of a command that the state would allow. */
function blockerOf(host: Host): string | null {
  const { removing, instances } = host;
  if (removing) return 'It is being removed.';
  const live = liveOn(host);
  if (live) return `Instances on it are live: ${live}. Stop them, or Force remove.`;
  if (instances.totalCount > 0)
    return `It has instances: ${instances.nodes.map(({ key }) => key).join(', ')}. Move or delete them first.`;
  return null;
}
