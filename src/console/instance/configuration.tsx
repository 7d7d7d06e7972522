/** What an instance runs, and how it is configured. */
import type { Signal } from '@preact/signals';
import { Link } from '../app/router.tsx';
import { CopyButton } from '../part/copy-button.tsx';
import { Facts } from '../part/facts.tsx';
import { Section } from '../part/section.tsx';
import { Time } from '../part/time.tsx';
import { words } from '../part/words.ts';
import type { Definition } from './definition.ts';
import type { Instance } from './instance.ts';

const deploymentWords: Readonly<Record<string, string>> = {
  MANAGED: 'Managed: our data center',
  CLOUD: 'Cloud: your data center',
  ON_PREMISE: 'On premise',
};

export function Run({ instance }: { instance: Instance }) {
  const { solution, solutionVersion, run } = instance;
  const bound = solutionVersion?.version ?? solution.latestVersion?.version;
  const runs = run?.solutionVersion?.version;
  return (
    <Section id="run" title="Solution and run">
      <Facts
        facts={[
          [
            'Solution',
            <Link key="solution" href={`/solutions/${encodeURIComponent(solution.key)}`}>
              {solution.name}
            </Link>,
          ],
          [
            'Next start',
            bound ? `${bound}${solutionVersion ? '' : ', the newest published'}` : 'no version yet',
          ],
          [
            run?.endedAt ? 'Last run' : 'Runs',
            run &&
              `${runs ?? 'no version'}${runs !== bound ? ', another than the next start' : ''}`,
          ],
          ['Started', run && <Time key="started" at={run.startedAt} exact />],
          ['Ended', run?.endedAt && <Time key="ended" at={run.endedAt} exact />],
          ['Image', run?.image && <code>{run.image}</code>],
          [
            'Digest',
            run?.imageDigest && (
              <span class="copied-value">
                <code>{run.imageDigest}</code>{' '}
                <CopyButton text={run.imageDigest} of="digest of the image" />
              </span>
            ),
          ],
          ['Run id', run && <code>{run.id}</code>],
        ]}
      />
    </Section>
  );
}

export function Configuration({
  instance,
  definition,
}: {
  instance: Instance;
  definition: Signal<Definition | null>;
}) {
  const { edition, configuration, billingSubscription, deviceRepository } = instance;
  const { deploymentType, imageSize, replicas, containerRepository, containerTag } = configuration;
  return (
    <Section id="configuration" title="Configuration">
      <Facts
        facts={[
          ['Edition', words(edition)],
          ['Deployment', deploymentType && (deploymentWords[deploymentType] ?? deploymentType)],
          ['Size', imageSize && words(imageSize)],
          ['Replicas', replicas],
          ['Image', containerRepository && `${containerRepository.name}: ${containerTag}`],
          ['Logs', configuration.workingStorage && words(configuration.workingStorage)],
          ['Devices', `${deviceRepository.name} (${words(deviceRepository.storage)})`],
          ['Paid by', billingSubscription?.name],
          ['Created', <Time key="created" at={instance.createdAt} exact />],
          [
            'Edited',
            <>
              <Time at={instance.updatedAt} exact />, version {instance.version}
            </>,
          ],
        ]}
      />
      <Settings settings={instance.settings} declared={definition.value?.settings ?? {}} />
    </Section>
  );
}

/** A secret one comes as null, whatever its value is. */
function Settings({
  settings,
  declared,
}: {
  settings: Instance['settings'];
  declared: NonNullable<Definition['settings']>;
}) {
  const names = [...new Set([...Object.keys(settings), ...Object.keys(declared)])].sort();
  return (
    <>
      <h3>Settings</h3>
      {names.length === 0 && <p class="quiet">The solution has none.</p>}
      <Facts
        facts={names.map((name) => [name, settingText(name, settings, declared[name])] as const)}
      />
    </>
  );
}

function settingText(
  name: string,
  settings: Instance['settings'],
  declared: NonNullable<Definition['settings']>[string] | undefined,
) {
  const isGiven = Object.hasOwn(settings, name);
  if (isGiven && settings[name] === null) return <span class="quiet">hidden: it is a secret</span>;
  if (isGiven) return <code>{JSON.stringify(settings[name])}</code>;
  const { default: byDefault } = (declared ?? {}) as { default?: unknown };
  if (byDefault === undefined) return <span class="quiet">not set</span>;
  return (
    <>
      <code>{JSON.stringify(byDefault)}</code> <span class="quiet">by default</span>
    </>
  );
}
