/** Hosts: saved, shown, commanded, listed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordCheck } from '../../src/store/work/work.ts';
import { type Fleet, openFleet } from './fleet.ts';

describe.each(['PGLITE', 'POSTGRES'] as const)('hosts on %s', (kind) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet(kind);
  });
  afterAll(() => fleet?.close());

  test('its newest health checks, newest first; one that comes late is none', async () => {
    const read = async () => {
      const { host } = await fleet.ask(
        '{ host(host: "checked") { id healthChecks { at answered } lastCheckAt lastOkAt } }',
      );
      return host;
    };
    await fleet.ask('mutation { createHost(input: { key: "checked" }) { __typename } }');
    const { id, healthChecks } = await read();
    expect(healthChecks).toEqual([]);
    const [, uuid = ''] = Buffer.from(id, 'base64').toString().split(':');
    const at = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute));
    for (let minute = 1; minute <= 62; minute += 1)
      await recordCheck(fleet.store, uuid, { at: at(minute), answers: minute !== 62 });
    expect(await recordCheck(fleet.store, uuid, { at: at(61), answers: true })).toBe(false);
    const checked = await read();
    expect(checked.healthChecks).toHaveLength(60);
    expect(checked.healthChecks[0]).toEqual({ at: at(62).toISOString(), answered: false });
    expect(checked.healthChecks[59]).toEqual({ at: at(3).toISOString(), answered: true });
    expect(checked).toMatchObject({
      lastCheckAt: at(62).toISOString(),
      lastOkAt: at(61).toISOString(),
    });
  });

  test('a new one', async () => {
    const { createHost } = await fleet.ask(`mutation {
      createHost(input: { key: "north", dnsName: "north", size: MEDIUM, subscription: "trial",
        labels: [{ name: "site", value: "north" }] }) {
        __typename ... on UserError { message }
        ... on HostSaved { host {
          id key name description driver size dnsName dnsRecord { name } state stateName stateSince
          failedStage removing address lastCheckAt lastOkAt allowedActions sequence version
          billingSubscription { key } billedSince failure { code } labels { name value }
          instances { totalCount } activeOperation { id } operations { totalCount }
          history { totalCount } archivedAt } } } }`);
    expect(createHost.host).toMatchObject({
      key: 'north',
      driver: 'PROCESS',
      size: 'MEDIUM',
      dnsName: 'north.instances.test',
      dnsRecord: null,
      state: 'OFFLINE',
      stateName: 'OFFLINE',
      removing: false,
      address: null,
      allowedActions: ['DEPLOY', 'DELETE'],
      sequence: 0,
      version: 1,
      billingSubscription: { key: 'trial' },
      billedSince: null,
      labels: [{ name: 'site', value: 'north' }],
      instances: { totalCount: 0 },
      activeOperation: null,
    });
  });

  test('deployed, restarted, removed, deleted', async () => {
    expect(await fleet.command('deployHost', { host: 'north' })).toMatchObject({
      __typename: 'HostCommandAccepted',
      host: { key: 'north', state: 'DEPLOYING', sequence: 1 },
      operation: { kind: 'DEPLOY_HOST', status: 'RUNNING' },
    });
    await fleet.until('north', 'RUNNING');
    const { host } = await fleet.ask(`{ host(host: "north") {
      state address billedSince dnsRecord { name type address ttlSeconds confirmedAt }
      allowedActions history(filter: { to: [RUNNING] }) { nodes { from to host { state } } } } }`);
    expect(host).toMatchObject({
      state: 'RUNNING',
      address: expect.any(String),
      billedSince: expect.any(String),
      dnsRecord: { name: 'north.instances.test', type: 'A', confirmedAt: expect.any(String) },
      allowedActions: ['RESTART', 'RESTART_CONTAINER', 'REMOVE', 'FORCE_REMOVE'],
      history: {
        nodes: [{ from: 'STARTING_CONTAINER', to: 'RUNNING', host: { state: 'RUNNING' } }],
      },
    });
    expect(await fleet.command('deployHost', { host: 'north' })).toMatchObject({
      __typename: 'HostCommandRefused',
      code: 'ALREADY_IN_STATE',
      action: 'DEPLOY',
      from: 'RUNNING',
    });
    await fleet.command('restartContainer', { host: 'north' });
    await fleet.until('north', 'RUNNING');
    fleet.driver.script.hang('releaseHost');
    expect(await fleet.command('removeHost', { host: 'north' })).toMatchObject({
      host: { state: 'RUNNING' },
      operation: { kind: 'REMOVE_HOST' },
    });
    const { hosts } = await fleet.ask(
      '{ hosts(filter: { removing: true }) { nodes { key removing allowedActions activeOperation { kind } } } }',
    );
    expect(hosts.nodes).toEqual([
      {
        key: 'north',
        removing: true,
        allowedActions: ['FORCE_REMOVE'],
        activeOperation: { kind: 'REMOVE_HOST' },
      },
    ]);
    fleet.driver.script.heal('releaseHost');
    await fleet.command('removeHost', { host: 'north', force: true });
    await fleet.until('north', 'OFFLINE');
    const { deleteHost } = await fleet.ask(`mutation {
      deleteHost(input: { host: "north" }) { __typename ... on UserError { message } } }`);
    expect(deleteHost.__typename).toBe('HostDeleted');
  });

  test('a deletion with instances on it is refused', async () => {
    const { deleteHost } = await fleet.ask(`mutation {
      deleteHost(input: { host: "greenhouse-1-host" }) { __typename ... on UserError { code } } }`);
    expect(deleteHost).toEqual({ __typename: 'Conflict', code: 'IN_USE' });
    const { updateHost } = await fleet.ask(`mutation {
      updateHost(input: { host: "greenhouse-1-host", size: LARGE, expectedVersion: 7 }) {
        __typename ... on Conflict { code currentVersion } } }`);
    expect(updateHost).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: 1 });
  });

  test('resources side by side', async () => {
    const { host, instance } = await fleet.ask(
      '{ host(host: "greenhouse-1-host") { id } instance(instance: "greenhouse-1") { id } }',
    );
    const { nodes } = await fleet.ask(
      `query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id
         ... on Resource { key stateName sequence }
         ... on Instance { host { key } } ... on Host { instances { nodes { key } } } } }`,
      { ids: [host.id, instance.id] },
    );
    expect(nodes).toMatchObject([
      { __typename: 'Host', stateName: 'OFFLINE', instances: { nodes: [{ key: 'greenhouse-1' }] } },
      { __typename: 'Instance', key: 'greenhouse-1', host: { key: 'greenhouse-1-host' } },
    ]);
  });
});
