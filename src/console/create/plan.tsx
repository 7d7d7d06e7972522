/** What the form would make now, in words: looked at before the button. */
import type { ComponentChildren } from 'preact';
import { StateSign } from '../part/state-sign.tsx';
import { type ChosenSolution, choices } from './choices.ts';
import type { InstanceValues } from './instance-input.ts';

export function Plan({
  values,
  solution,
}: {
  values: InstanceValues;
  solution: ChosenSolution | null;
}) {
  const newest = choices.value.solutions.find(({ key }) => key === values.solution)?.latestVersion;
  const subscription = choices.value.subscriptions.find(({ key }) => key === values.subscription);
  const devices = choices.value.deviceRepositories.find(
    ({ key }) => key === values.deviceRepository,
  );
  const version = values.version || newest?.version;
  return (
    <aside class="card plan" aria-labelledby="plan-title">
      <h2 id="plan-title">What will be made</h2>
      <dl>
        <dt>Instance</dt>
        <dd>
          <Known text={values.key}>, offline, not started</Known>
        </dd>
        <dt>Runs</dt>
        <dd>
          <Known text={values.solution} />
          {values.solution && solution && (
            <>
              {' '}
              {version ? (
                <code>{version}</code>
              ) : (
                <strong class="fault">no published version</strong>
              )}
              {version && (
                <span class="quiet">
                  {values.version
                    ? ', this version until it is changed'
                    : ', the newest now; each start takes the newest then'}
                </span>
              )}
            </>
          )}
        </dd>
        <HostPlan values={values} />
        <ImagePlan values={values} />
        <dt>Devices in</dt>
        <dd>
          <Known text={values.deviceRepository} />
          {devices && (
            <span class="quiet">
              {devices.storage === 'CLOUD' ? ', kept by this server' : ', kept on the host alone'}
            </span>
          )}
        </dd>
        <dt>Billed to</dt>
        <dd>
          <Known text={values.subscription} />
          {subscription && (
            <span class="quiet">
              {subscription.trial
                ? ', a trial: metered, never priced'
                : ', by running time from its deployment on'}
            </span>
          )}
        </dd>
      </dl>
      <NextStep values={values} isPublished={version !== undefined} />
    </aside>
  );
}

/** What follows is said of what is chosen alone. */
function Known({ text, children }: { text: string; children?: ComponentChildren }) {
  if (!text) return <span class="quiet">not chosen yet</span>;
  return (
    <>
      <code>{text}</code>
      {children && <span class="quiet">{children}</span>}
    </>
  );
}

const sizeWord = (size: string): string => size.toLowerCase().replace('_', ' ');

function HostPlan({ values }: { values: InstanceValues }) {
  const { hosts, dnsZone } = choices.value;
  const shared = hosts.find(({ key }) => key === values.host);
  if (values.hosting === 'SHARED') {
    return (
      <>
        <dt>On the host</dt>
        <dd>
          <Known text={values.host} />
          {shared && (
            <>
              {' '}
              <StateSign kind="HOST" state={shared.state} />{' '}
              <span class="quiet">
                {sizeWord(shared.size)}, shared, {shared.dnsName}
                {shared.removing && ', being removed'}
              </span>
            </>
          )}
        </dd>
      </>
    );
  }
  const size = values.edition === 'APP' ? 'SMALL' : values.imageSize;
  return (
    <>
      <dt>A new host</dt>
      <dd>
        <Known text={values.key && `${values.key}-host`}>
          , {sizeWord(size)}, offline, nothing billed yet
        </Known>
      </dd>
      <dt>In the DNS</dt>
      <dd>
        <Known text={values.key && dnsZone && `${values.key}.${dnsZone}`}>
          , once it is deployed
        </Known>
      </dd>
    </>
  );
}

function ImagePlan({ values }: { values: InstanceValues }) {
  if (values.edition === 'APP') return null;
  const repository = choices.value.repositories.find(
    ({ key }) => key === values.containerRepository,
  );
  const tag = values.containerTag || repository?.defaultTag;
  return (
    <>
      <dt>Image</dt>
      <dd>
        <Known text={repository ? `${repository.image}:${tag}` : ''} />
        {values.edition === 'CLUSTER' && <span class="quiet">, {values.replicas} replicas</span>}
      </dd>
    </>
  );
}

function NextStep({ values, isPublished }: { values: InstanceValues; isPublished: boolean }) {
  const shared = choices.value.hosts.find(({ key }) => key === values.host);
  const isUp = values.hosting === 'SHARED' && shared?.state === 'RUNNING';
  const canDeploy = values.hosting === 'OWN' || !shared || shared.state === 'OFFLINE';
  const faults: ComponentChildren[] = [];
  if (values.edition === 'CLUSTER')
    faults.push('Deploying will be refused: this server has no driver for clusters.');
  if (values.solution && !isPublished)
    faults.push('Deploying will be refused until a version of the solution is published.');
  if (!isUp && !canDeploy)
    faults.push('Deploying will be refused while the shared host is neither offline nor running.');
  return (
    <>
      <h3>Deploying it, the next step, will</h3>
      <ol>
        {!isUp && <li>allocate the compute of the host: billing begins</li>}
        {!isUp && <li>create its DNS record, install and start its containers</li>}
        <li>start the runtime, load the solution, listen for messages</li>
      </ol>
      {faults.map((fault) => (
        <p class="fault" key={String(fault)}>
          {fault}
        </p>
      ))}
    </>
  );
}
