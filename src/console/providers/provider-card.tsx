/** One compute provider, and what can be done with it. */
import { useSignal } from '@preact/signals';
import { Link } from '../app/router.tsx';
import { ConfirmDialog } from '../part/confirm-dialog.tsx';
import { Facts } from '../part/facts.tsx';
import { Section } from '../part/section.tsx';
import { StateShape, StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { count, memory, words } from '../part/words.ts';
import { addressOf } from '../resource/model.ts';
import { type Provider, sendAbout } from './provider.ts';

export function ProviderCard({ provider }: { provider: Provider }) {
  const { key, name, kind, isDefault, status, configuration, hosts } = provider;
  const { endpoint, publishAddress } = configuration;
  const title = (
    <>
      {name} {name !== key && <code>{key}</code>} {isDefault && <small>the default</small>}
    </>
  );
  return (
    <Section id={key} title={title} tools={<Actions provider={provider} />}>
      <Answer status={status} />
      {status.failure && (
        <p class="why" role="status">
          <code>{status.failure.code}</code> {status.failure.message}
        </p>
      )}
      {provider.description && <p>{provider.description}</p>}
      <Facts
        facts={[
          ['Kind', kind === 'PROCESS' ? 'Processes of this server' : words(kind)],
          ['Endpoint', endpoint && <code>{endpoint}</code>],
          ['Connection', endpoint && connectionText(provider)],
          ['Address of hosts', publishAddress && <code>{publishAddress}</code>],
          [
            'Version',
            status.version &&
              [status.version, status.nodes[0]?.platform].filter(Boolean).join(', '),
          ],
          ['Hosts', <Hosts key="hosts" hosts={hosts} />],
        ]}
      />
      <Capacity provider={provider} />
    </Section>
  );
}

function Answer({ status: { reachable, checkedAt } }: Pick<Provider, 'status'>) {
  const look =
    reachable === null
      ? ({ tone: 'BUSY', shape: 'RING', word: 'Not asked yet' } as const)
      : reachable
        ? ({ tone: 'GOOD', shape: 'DISC', word: 'Answers' } as const)
        : ({ tone: 'ERROR', shape: 'CROSS', word: 'Does not answer' } as const);
  return (
    <p>
      <span class="state" data-tone={look.tone}>
        <StateShape shape={look.shape} />
        {look.word}
      </span>{' '}
      {checkedAt && (
        <span class="quiet">
          asked <Time at={checkedAt} /> (<Time at={checkedAt} exact />)
        </span>
      )}
    </p>
  );
}

function connectionText({ configuration, hasCredentials }: Provider): string {
  if (configuration.tls) return hasCredentials ? 'TLS with a client key' : 'TLS';
  return configuration.insecure ? 'not encrypted: insecure' : 'on this machine';
}

function Hosts({ hosts }: Pick<Provider, 'hosts'>) {
  if (hosts.totalCount === 0) return <>none</>;
  const more = hosts.totalCount - hosts.nodes.length;
  return (
    <ul class="provider-hosts">
      {hosts.nodes.map(({ key, state }) => (
        <li key={key}>
          <Link href={addressOf('HOST', key)}>{key}</Link> <StateSign kind="HOST" state={state} />
        </li>
      ))}
      {more > 0 && <li class="quiet">and {count(more, 'other')}</li>}
    </ul>
  );
}

/** What its hosts take, of what it has. Processes are not limited, so theirs is only declared. */
function Capacity({ provider: { kind, status } }: { provider: Provider }) {
  const { capacity, allocated } = status;
  if (!capacity) return null;
  const how = kind === 'PROCESS' ? 'declared' : 'taken';
  const row = (taken: number, total: number, text: string) => (
    <label>
      <span>
        {text} {how} by its hosts
      </span>
      <meter value={taken} max={total} />
    </label>
  );
  return (
    <div class="capacity">
      {row(allocated.cpus, capacity.cpus, `${allocated.cpus} of ${capacity.cpus} CPU`)}
      {row(
        allocated.memoryBytes,
        capacity.memoryBytes,
        `${memory(allocated.memoryBytes)} of ${memory(capacity.memoryBytes)}`,
      )}
    </div>
  );
}

function Actions({ provider }: { provider: Provider }) {
  const { key, kind, isDefault, version } = provider;
  const answer = useSignal<string | null>(null);
  const sending = useSignal<string | null>(null);
  const isAsking = useSignal(false);
  async function send(...[field, input]: Parameters<typeof sendAbout>): Promise<void> {
    if (sending.value) return;
    sending.value = field;
    answer.value = null;
    try {
      answer.value = await sendAbout(field, input);
    } catch (error) {
      answer.value = (error as Error).message;
    }
    sending.value = null;
  }
  const named = { computeProvider: key };
  const isBusy = sending.value !== null;
  return (
    <>
      <button
        type="button"
        aria-disabled={isBusy}
        aria-label={`Check now: ${key}`}
        onClick={() => send('checkComputeProvider', named)}
      >
        {sending.value === 'checkComputeProvider' ? 'Asking …' : 'Check now'}
      </button>
      {!isDefault && (
        <button
          type="button"
          aria-disabled={isBusy}
          aria-label={`Make default: ${key}`}
          onClick={() =>
            send('updateComputeProvider', { ...named, default: true, expectedVersion: version })
          }
        >
          Make default
        </button>
      )}
      {kind !== 'PROCESS' && (
        <button
          type="button"
          class="danger"
          aria-disabled={isBusy}
          aria-label={`Delete: ${key}`}
          onClick={() => {
            isAsking.value = true;
          }}
        >
          Delete
        </button>
      )}
      {answer.value && (
        <p role="alert" class="why">
          {answer.value}
        </p>
      )}
      {isAsking.value && (
        <ConfirmDialog
          title={`Delete ${key}?`}
          typed={key}
          action="Delete"
          onClose={() => {
            isAsking.value = false;
          }}
          onConfirm={() => send('deleteComputeProvider', { ...named, expectedVersion: version })}
        >
          <p>It is archived for good, with its credentials. It must have no hosts.</p>
        </ConfirmDialog>
      )}
    </>
  );
}
