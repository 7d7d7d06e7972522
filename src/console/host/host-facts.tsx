/** The compute of a host, its DNS record, and what it is billed since. */
import { Link } from '../app/router.tsx';
import { CopyButton } from '../part/copy-button.tsx';
import { Facts } from '../part/facts.tsx';
import { Section } from '../part/section.tsx';
import { duration, now, Time } from '../part/time.tsx';
import { count, memory, words } from '../part/words.ts';
import type { Host } from './host.ts';

export function Compute({ host }: { host: Host }) {
  const { driver, provider, size, capacity, address } = host;
  return (
    <Section id="compute" title="Compute">
      <Facts
        facts={[
          [
            'Provider',
            <Link key="provider" href={`/providers#${provider.key}`}>
              {provider.name}
            </Link>,
          ],
          ['Driver', words(driver)],
          ['Size', `${words(size)}: ${capacity.cpus} CPU, ${memory(capacity.memoryBytes)}`],
          [
            'Taken',
            `${capacity.allocatedCpus} CPU, ${memory(capacity.allocatedMemoryBytes)} by its instances`,
          ],
          ['Address', address ? <Copied text={address} of="address" /> : 'none is allocated'],
          ['Created', <Time key="created" at={host.createdAt} exact />],
          [
            'Edited',
            <>
              <Time at={host.updatedAt} exact />, version {host.version}
            </>,
          ],
        ]}
      />
    </Section>
  );
}

export function Dns({ host }: { host: Host }) {
  const { dnsName, dnsRecord } = host;
  return (
    <Section id="dns" title="DNS">
      <Facts
        facts={[
          ['Name', <Copied key="name" text={dnsName} of="DNS name" />],
          ['Record', !dnsRecord && 'none now: the name is not answered'],
          [
            'Record',
            dnsRecord && (
              <code>
                {dnsRecord.type} {dnsRecord.address}
              </code>
            ),
          ],
          ['Kept by resolvers', dnsRecord && `for ${count(dnsRecord.ttlSeconds, 'second')}`],
          [
            'Confirmed',
            dnsRecord &&
              (dnsRecord.confirmedAt ? (
                <>
                  <Time at={dnsRecord.confirmedAt} /> (<Time at={dnsRecord.confirmedAt} exact />)
                </>
              ) : (
                'not yet: the name server was not seen to answer with it'
              )),
          ],
        ]}
      />
    </Section>
  );
}

export function Billing({ host }: { host: Host }) {
  const { billedSince, billingSubscription } = host;
  return (
    <Section id="billing" title="Billing">
      <Facts
        facts={[
          ['Paid by', billingSubscription?.name ?? 'nobody; it is metered all the same'],
          [
            'Billed',
            billedSince ? (
              <strong>for {duration(now.value - Date.parse(billedSince))}</strong>
            ) : (
              'not now: no compute is confirmed to be online'
            ),
          ],
          ['Since', billedSince && <Time key="since" at={billedSince} exact />],
        ]}
      />
    </Section>
  );
}

function Copied({ text, of }: { text: string; of: string }) {
  return (
    <span class="copied-value">
      <code>{text}</code> <CopyButton text={text} of={of} />
    </span>
  );
}
