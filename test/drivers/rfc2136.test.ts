/** Dynamic updates of a zone on real name servers. */
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { TsigKey } from '../../src/drivers/dns/tsig.ts';
import { createUpdateDnsProvider } from '../../src/drivers/dns/update-provider.ts';
import { type BindZone, hasBind, startBind } from '../harness/bind.ts';
import { memoryRecords } from './dns-client.ts';

const { signal } = new AbortController();

describe.skipIf(!hasBind)('dynamic updates of a zone on BIND', () => {
  let bind: BindZone;
  beforeAll(async () => {
    bind = await startBind();
    return () => bind.stop();
  });

  let names = 0;
  const newName = () => `host-${++names}.${bind.zone}`;

  function open(change: { key?: Partial<TsigKey>; owner?: string; port?: number } = {}) {
    const records = memoryRecords();
    const { zone, port, primary, key } = bind;
    const dns = createUpdateDnsProvider({
      server: { host: primary.address, port: change.port ?? port },
      ...{ zone, records, trySeconds: 2, owner: change.owner ?? 'instance-manager=one' },
      key: { ...key, algorithm: 'hmac-sha256', ...change.key },
    });
    const answersOf = async (name: string) =>
      Object.fromEntries(
        (await dns.resolve(name, signal)).map(({ server, addresses }) => [server, addresses]),
      );
    return { dns, records, answersOf };
  }
  const record = (name: string, address = '192.0.2.7') => ({ name, address, ttlSeconds: 30 });
  const transfer = () => bind.secondary.control('retransfer', bind.zone);
  const both = (...addresses: string[]) => ({
    [`ns1.${bind.zone}`]: addresses,
    [`ns2.${bind.zone}`]: addresses,
  });

  test('adds, replaces and removes a record; a server that lags is told apart', async () => {
    const { dns, records, answersOf } = open();
    const name = newName();
    const one = { [`ns1.${bind.zone}`]: ['192.0.2.7'], [`ns2.${bind.zone}`]: [] };
    await dns.publish(record(name), signal);
    expect(await answersOf(name)).toEqual(one);
    expect(records.all.get(name)).toEqual(record(name));
    await transfer();
    await expect.poll(() => answersOf(name)).toEqual(both('192.0.2.7'));

    await dns.publish(record(name, '192.0.2.8'), signal);
    await transfer();
    await expect.poll(() => answersOf(name)).toEqual(both('192.0.2.8'));

    await dns.withdraw(name, signal);
    expect(records.all.size).toBe(0);
    expect(await answersOf(name)).toMatchObject({ [`ns1.${bind.zone}`]: [] });
    await transfer();
    await expect.poll(() => answersOf(name)).toEqual(both());
    await dns.withdraw(name, signal);
  });

  test('an IPv6 address is an AAAA record, and takes the place of an A record', async () => {
    const { dns, answersOf } = open();
    const name = newName();
    await dns.publish(record(name), signal);
    await dns.publish(record(name, 'FD00:0:0::7'), signal);
    await transfer();
    await expect.poll(() => answersOf(name)).toEqual(both('fd00::7'));
  });

  test('what is in place is not written again', async () => {
    const { dns } = open();
    const name = newName();
    await dns.publish(record(name), signal);
    await bind.primary.control('freeze', bind.zone);
    onTestFinished(() => bind.primary.control('thaw', bind.zone));
    await dns.publish(record(name), signal);
    await expect(dns.publish(record(name, '192.0.2.9'), signal)).rejects.toMatchObject({
      code: 'DNS_REFUSED',
      retryable: false,
    });
  });

  test('a name that is someone else’s is neither changed nor removed', async () => {
    const { dns, answersOf } = open();
    const theirs = open({ owner: 'instance-manager=two' });
    const name = newName();
    await theirs.dns.publish(record(name, '192.0.2.20'), signal);
    for (const [taken, address] of [
      [`taken.${bind.zone}`, '192.0.2.1'],
      [name, '192.0.2.20'],
    ] as const) {
      await expect(dns.publish(record(taken), signal)).rejects.toMatchObject({
        code: 'DNS_NAME_TAKEN',
        retryable: false,
        message: expect.stringContaining('another dnsName'),
      });
      await dns.withdraw(taken, signal);
      expect(await answersOf(taken)).toMatchObject({ [`ns1.${bind.zone}`]: [address] });
    }
  });

  test('two servers of one installation publish one name at once', async () => {
    const { dns, answersOf } = open();
    const name = newName();
    await Promise.all(Array.from({ length: 8 }, () => dns.publish(record(name), signal)));
    expect(await answersOf(name)).toMatchObject({ [`ns1.${bind.zone}`]: ['192.0.2.7'] });
  });

  test.each([
    ['another secret', { secret: Buffer.alloc(32) }, 'DNS_KEY_REFUSED', 'DNS_TSIG_SECRET'],
    ['an unknown name', { name: 'nobody' }, 'DNS_KEY_REFUSED', 'DNS_TSIG_NAME'],
    ['another algorithm', { algorithm: 'hmac-sha512' }, 'DNS_KEY_REFUSED', 'DNS_TSIG_ALGORITHM'],
  ] as const)('a wrong key: %s', async (_, key, code, remedy) => {
    const { dns, records } = open({ key });
    await expect(dns.publish(record(newName()), signal)).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringContaining(remedy),
    });
    expect(records.all.size).toBe(0);
  });

  test('a key that may not update, and another zone', async () => {
    const powerless = open({ key: bind.powerlessKey });
    await expect(powerless.dns.publish(record(newName()), signal)).rejects.toMatchObject({
      code: 'DNS_REFUSED',
      message: expect.stringMatching(/key powerless.*allow-update/),
    });
    const { dns } = open();
    await expect(dns.publish(record('host.example.org'), signal)).rejects.toMatchObject({
      code: 'DNS_RECORD_INVALID',
    });
  });

  test('a primary that is down, and an authoritative server that is', async () => {
    const nobody = open({ port: 1 });
    await expect(nobody.dns.publish(record(newName()), signal)).rejects.toMatchObject({
      code: 'DNS_SILENT',
      retryable: true,
    });
    const { dns } = open();
    const name = newName();
    await dns.publish(record(name), signal);
    await bind.secondary.kill();
    await expect(dns.resolve(name, signal)).rejects.toMatchObject({
      code: 'DNS_SILENT',
      message: expect.stringContaining(bind.secondary.address),
    });
  });
});
