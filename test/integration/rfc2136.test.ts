/** A host whose zone is on name servers elsewhere: deployed and removed only when each of them says so. */
import { expect, onTestFinished, test } from 'vitest';
import { hasBind, startBind } from '../harness/bind.ts';
import { createClient } from './client.ts';
import { startServer } from './server.ts';

test.skipIf(!hasBind)(
  'a host is CONFIGURING_DNS until every name server answers, and OFFLINE when none does',
  { timeout: 240_000 },
  async () => {
    const bind = await startBind();
    onTestFinished(() => bind.stop());
    const transfer = () => bind.secondary.control('retransfer', bind.zone);
    const server = await startServer({
      environment: {
        DNS_ZONE: bind.zone,
        DNS_PROVIDER: 'rfc2136',
        DNS_SERVER: `${bind.primary.address}:${bind.port}`,
        DNS_TSIG_NAME: bind.key.name,
        DNS_TSIG_SECRET: bind.key.secret.toString('base64'),
      },
    });
    onTestFinished(() => server.dispose());
    const client = createClient(server);

    const recordOf = async (key: string) => {
      const document = `{ host(host: "${key}") { dnsRecord { name type address } } }`;
      return (await client.read<{ host: { dnsRecord: object | null } }>(document)).host.dnsRecord;
    };

    await client.mutate('createHost', { key: 'north' });
    await client.acceptHost('deployHost', 'north');
    await client.lookUntil(
      () => recordOf('north'),
      (record) => expect(record).toMatchObject({ name: `north.${bind.zone}`, type: 'A' }),
    );
    expect((await client.host('north')).state).toBe('CONFIGURING_DNS');
    await transfer();
    await client.untilHost('north', 'RUNNING');

    await client.acceptHost('removeHost', 'north');
    await client.lookUntil(
      () => recordOf('north'),
      (record) => expect(record).toBeNull(),
    );
    expect((await client.host('north')).state).toBe('RUNNING');
    await transfer();
    await client.untilHost('north', 'OFFLINE');

    await client.mutate('createHost', { key: 'taken' });
    await client.acceptHost('deployHost', 'taken');
    const { failure } = await client.untilHost('taken', 'FAILED_DEPLOYMENT');
    expect(failure).toMatchObject({ code: 'DNS_NAME_TAKEN', stage: 'CONFIGURING_DNS' });
  },
);
