/** The devices of an instance and their last values. The API has no events for them: they are read again. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { client, connection } from '../app/connection.ts';
import { Section } from '../part/section.tsx';
import { Time, timeNow } from '../part/time.tsx';
import { count } from '../part/words.ts';
import type { Instance } from './instance.ts';

const pollSeconds = 5;
const most = 50;

interface Device {
  readonly name: string;
  readonly lastSeenAt: string;
  readonly values: readonly { readonly field: string; readonly value: unknown }[];
}
interface Read {
  readonly deviceRepository: {
    readonly devices: { readonly totalCount: number; readonly nodes: readonly Device[] } | null;
  } | null;
}

const query = `query Devices($repository: ID!, $text: String) {
  deviceRepository(deviceRepository: $repository) {
    devices(
      first: ${most}, filter: { text: $text }, orderBy: { field: LAST_SEEN_AT, direction: DESC }
    ) {
      totalCount nodes { name lastSeenAt values { field value } }
    }
  }
}`;

export function Devices({ repository }: { repository: Instance['deviceRepository'] }) {
  const text = useSignal('');
  const read = useSignal<Read['deviceRepository']>(null);
  const readAt = useSignal<Date | null>(null);
  const problem = useSignal<string | null>(null);
  const isCloud = repository.storage === 'CLOUD';
  useEffect(() => {
    if (!isCloud) return;
    let isCurrent = true;
    let isReading = false;
    async function readAgain(): Promise<void> {
      if (isReading) return;
      isReading = true;
      const variables = { repository: repository.key, text: text.peek() || null };
      try {
        const { deviceRepository } = await client.query<Read>({ query, variables });
        if (!isCurrent) return;
        read.value = deviceRepository;
        readAt.value = new Date(timeNow());
        problem.value = null;
      } catch (error) {
        problem.value = (error as Error).message;
      } finally {
        isReading = false;
      }
    }
    void readAgain();
    const timer = setInterval(() => {
      if (!document.hidden && connection.peek() === 'LIVE') void readAgain();
    }, pollSeconds * 1000);
    return () => {
      isCurrent = false;
      clearInterval(timer);
    };
  }, [repository.key, isCloud, text.value]);
  const devices = read.value?.devices;
  return (
    <Section id="devices" title="Devices">
      <p class="quiet">
        Repository <code>{repository.key}</code>
        {readAt.value && (
          <>
            , as of <Time at={readAt.value} exact />
          </>
        )}
      </p>
      {!isCloud && (
        <p>
          Its storage is LOCAL: devices and values stay with the runtime. Ask the instance itself by
          an input command.
        </p>
      )}
      {problem.value && <p role="alert">They could not be read: {problem.value}</p>}
      {isCloud && (
        <label class="device-search">
          <span class="quiet">Find a device</span>
          <input
            type="search"
            value={text.value}
            onInput={({ currentTarget }) => {
              text.value = currentTarget.value;
            }}
          />
        </label>
      )}
      {devices && <DeviceList devices={devices.nodes} total={devices.totalCount} />}
    </Section>
  );
}

function DeviceList({ devices, total }: { devices: readonly Device[]; total: number }) {
  if (total === 0) return <p class="quiet">None has sent a message.</p>;
  return (
    <>
      <ul class="bare devices">
        {devices.map(({ name, lastSeenAt, values }) => (
          <li key={name}>
            <div class="device-name">
              <strong>{name}</strong>{' '}
              <span class="quiet">
                <Time at={lastSeenAt} />
              </span>
            </div>
            <dl class="device-values">
              {values.map(({ field, value }) => (
                <div key={field}>
                  <dt>{field}</dt>
                  <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
      </ul>
      {total > devices.length && (
        <p class="quiet">
          The {devices.length} seen last of {count(total, 'device')}.
        </p>
      )}
    </>
  );
}
