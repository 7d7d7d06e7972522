/** Instances: what is shown of them, what is asked of them, and how many statements it takes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import greenhouse from '../../schema/greenhouse.json' with { type: 'json' };
import { type Fleet, openFleet } from './fleet.ts';

describe.each(['PGLITE', 'POSTGRES'] as const)('instances on %s', (kind) => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await openFleet(kind);
  });
  afterAll(() => fleet?.close());

  test('a new one', async () => {
    const { instance } = await fleet.ask(`{
      instance(instance: "greenhouse-1") {
        id key name state stateName stateSince desiredState converged reachability
        unreachableBecause lastSeenAt takesMessages takesInputCommands allowedActions sequence
        edition settings version labels { name value } endpoints { url } failure { code }
        configuration { __typename ... on ContainerConfiguration {
          deploymentType workingStorage imageSize containerTag containerRepository { key } } }
        solution { key } solutionVersion { version } run { id } billingSubscription { key }
        deviceRepository { key usedBy { key } } host { key state instances { nodes { key } } }
        activeOperation { id } operations { totalCount } history { totalCount }
        stateAt(time: "2100-01-01T00:00:00Z") before: stateAt(time: "2000-01-01T00:00:00Z")
      }
    }`);
    expect(instance).toMatchObject({
      key: 'greenhouse-1',
      state: 'OFFLINE',
      stateName: 'OFFLINE',
      desiredState: 'RUNNING',
      converged: false,
      reachability: 'OK',
      takesMessages: false,
      takesInputCommands: false,
      allowedActions: ['DEPLOY', 'DETACH', 'DELETE'],
      sequence: 0,
      endpoints: [],
      failure: null,
      configuration: {
        __typename: 'ContainerConfiguration',
        deploymentType: 'MANAGED',
        containerTag: '1.0',
        containerRepository: { key: 'runtime' },
      },
      solution: { key: 'greenhouse' },
      solutionVersion: null,
      run: null,
      host: { key: 'greenhouse-1-host', instances: { nodes: [{ key: 'greenhouse-1' }] } },
      activeOperation: null,
      operations: { totalCount: 0 },
      history: { totalCount: 0 },
      stateAt: 'OFFLINE',
      before: null,
    });
  });

  test('one click: deployed, with its history, endpoints, run and causes', async () => {
    const answer = await fleet.command('deployInstance', {
      instance: 'greenhouse-1',
      reason: 'the first one',
    });
    expect(answer).toMatchObject({
      __typename: 'InstanceCommandAccepted',
      instance: { key: 'greenhouse-1' },
      operation: { kind: 'DEPLOY_INSTANCE', status: 'QUEUED' },
    });
    const { operation } = await fleet.ask(
      `query ($id: ID!) { operation(operation: $id, waitSeconds: 20) {
         status reason phase progress requestedBy { kind name } resource { key stateName __typename }
         children { kind status parent { id } resource { key } } cancellable endedAt } }`,
      { id: answer.operation.id },
    );
    expect(operation).toMatchObject({
      status: 'SUCCEEDED',
      reason: 'the first one',
      phase: null,
      progress: null,
      requestedBy: { kind: 'USER', name: 'tester' },
      resource: { key: 'greenhouse-1', stateName: 'RUNNING', __typename: 'Instance' },
      children: [{ kind: 'DEPLOY_HOST', resource: { key: 'greenhouse-1-host' } }],
      cancellable: false,
    });
    const { instance } = await fleet.ask(`{
      instance(instance: "greenhouse-1") {
        state converged takesMessages takesInputCommands allowedActions
        endpoints { kind url address port dnsName }
        run { id image solutionVersion { version } endedAt }
        host { state billedSince dnsRecord { name type address confirmedAt } allowedActions }
        history { totalCount edges { cursor } nodes {
          fromState to sequence actor { kind } operation { kind }
          causedBy { operation { kind } transition { toState resource { key } } }
          instance { state sequence stateName key name } resource { stateName sequence } } }
        failure { code }
      }
    }`);
    expect(instance).toMatchObject({
      state: 'RUNNING',
      converged: true,
      takesMessages: true,
      takesInputCommands: true,
      allowedActions: ['PAUSE', 'STOP', 'FORCE_STOP', 'RESTART'],
      endpoints: [{ url: 'http://127.0.4.7:9000/in', dnsName: 'greenhouse-1.instances.test' }],
      run: {
        image: 'instance-manager/runtime:1.0',
        solutionVersion: { version: '1.0' },
        endedAt: null,
      },
      host: {
        state: 'RUNNING',
        billedSince: expect.any(String),
        dnsRecord: { type: 'A', confirmedAt: expect.any(String) },
        allowedActions: ['RESTART', 'RESTART_CONTAINER', 'FORCE_REMOVE'],
      },
      failure: null,
    });
    const states = ['STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING'];
    expect(instance.history.nodes.map(({ to }: { to: string }) => to)).toEqual(states);
    for (const [index, node] of instance.history.nodes.entries()) {
      expect(node).toMatchObject({
        instance: { state: states[index], sequence: index + 1, stateName: states[index] },
        resource: { stateName: states[index], sequence: index + 1 },
        operation: { kind: 'DEPLOY_INSTANCE' },
      });
    }
    expect(instance.history.totalCount).toBe(4);
    expect(instance.history.nodes[0].causedBy).toMatchObject({
      transition: { toState: 'STARTING_CONTAINER', resource: { key: 'greenhouse-1-host' } },
    });
  });

  test('a page with hosts, histories, operations and actions takes a handful of statements', async () => {
    const statements = await fleet.statements(() =>
      fleet.ask(`{ instances(first: 50) { nodes {
        key state host { key state } history(last: 3) { nodes { toState } }
        activeOperation { kind } allowedActions } } }`),
    );
    expect(statements.length).toBeLessThanOrEqual(3);
    const { instances } = await fleet.ask(`{ instances(first: 50) { nodes {
        key state host { key state } history(last: 3) { nodes { toState } }
        activeOperation { kind } allowedActions } } }`);
    expect(instances.nodes[0].history.nodes).toEqual([
      { toState: 'INITIALIZING' },
      { toState: 'STARTING' },
      { toState: 'RUNNING' },
    ]);
  });

  test('refusals say why, and what would be accepted', async () => {
    expect(await fleet.command('startInstance', { instance: 'greenhouse-1' })).toMatchObject({
      __typename: 'InstanceCommandRefused',
      code: 'ALREADY_IN_STATE',
      action: 'START',
      from: 'RUNNING',
      sequence: 4,
      allowedActions: ['PAUSE', 'STOP', 'FORCE_STOP', 'RESTART'],
      blockedBy: null,
    });
    expect(await fleet.command('startInstance', { instance: 'nobody' })).toMatchObject({
      __typename: 'ResourceNotFound',
      code: 'NOT_FOUND',
    });
    expect(
      await fleet.command('pauseInstance', { instance: 'greenhouse-1', expectedSequence: 3 }),
    ).toMatchObject({ __typename: 'Conflict', currentSequence: 4 });
    expect(
      await fleet.command('pauseInstance', {
        instance: 'greenhouse-1',
        reason: 'x'.repeat(501),
        idempotencyKey: '',
      }),
    ).toMatchObject({
      __typename: 'InvalidInput',
      issues: [{ path: 'idempotencyKey' }, { path: 'reason' }],
    });
    expect(await fleet.command('removeHost', { host: 'greenhouse-1-host' })).toMatchObject({
      __typename: 'HostCommandRefused',
      code: 'HOST_HAS_LIVE_INSTANCES',
      action: 'REMOVE',
      allowedActions: ['RESTART', 'RESTART_CONTAINER', 'FORCE_REMOVE'],
      blockedBy: { key: 'greenhouse-1', stateName: 'RUNNING' },
    });
  });

  test('an idempotency key answers the same, and refuses another input', async () => {
    const input = { instance: 'greenhouse-1', idempotencyKey: 'pause-1' };
    const first = await fleet.command('pauseInstance', input);
    expect(first.__typename).toBe('InstanceCommandAccepted');
    const again = await fleet.command('pauseInstance', input);
    expect(again.operation.id).toBe(first.operation.id);
    expect(await fleet.command('pauseInstance', { ...input, reason: 'other' })).toMatchObject({
      __typename: 'Conflict',
      code: 'IDEMPOTENCY_CONFLICT',
    });
    await fleet.until('greenhouse-1', 'PAUSED');
    const { instance } = await fleet.ask(`{ instance(instance: "greenhouse-1") {
      takesMessages takesInputCommands allowedActions desiredState converged } }`);
    expect(instance).toEqual({
      takesMessages: false,
      takesInputCommands: true,
      allowedActions: ['DEPLOY', 'START', 'RESUME', 'STOP', 'FORCE_STOP', 'RESTART'],
      desiredState: 'PAUSED',
      converged: true,
    });
  });

  test('a failure tells its transition, operation and cause', async () => {
    fleet.runtime.outcome = (kind) => (kind === 'RESUME' ? 'FAILED' : 'DONE');
    await fleet.command('resumeInstance', { instance: 'greenhouse-1' });
    await fleet.until('greenhouse-1', 'FAILED_TO_START');
    const { instance } = await fleet.ask(`{ instance(instance: "greenhouse-1") {
      allowedActions endpoints { url } failure {
        code message stage exitCode retryable at logTail
        transition { fromState toState } operation { kind status failure { code operation { kind } } } } } }`);
    expect(instance).toMatchObject({
      allowedActions: ['RESTART', 'DETACH'],
      failure: {
        message: expect.stringContaining('The port is taken.'),
        transition: { fromState: 'STARTING', toState: 'FAILED_TO_START' },
        operation: { kind: 'RESUME_INSTANCE', status: 'FAILED' },
      },
    });
    fleet.runtime.outcome = () => 'DONE';
    const restart = await fleet.command('restartInstance', { instance: 'greenhouse-1' });
    expect(restart).toMatchObject({ operation: { kind: 'RESTART_INSTANCE' } });
    await fleet.until('greenhouse-1', 'RUNNING');
  });

  test('lists: filters and orders', async () => {
    const keys = async (filter: string) => {
      const { instances } = await fleet.ask(
        `{ instances(filter: ${filter}) { totalCount nodes { key } } }`,
      );
      expect(instances.totalCount).toBe(instances.nodes.length);
      return instances.nodes.map(({ key }: { key: string }) => key);
    };
    await fleet.ask(
      `mutation ($definition: JSON!) {
        createSolution(input: { key: "guarded", definition: $definition }) { __typename }
        publishSolutionVersion(input: { solution: "guarded", version: "1" }) { __typename }
      }`,
      {
        definition: {
          ...greenhouse,
          settings: {
            ...greenhouse.settings,
            deviceKey: { type: 'STRING', secret: true },
            alarmAddress: { type: 'STRING', secret: false },
          },
        },
      },
    );
    await fleet.ask(`mutation {
      createDeviceRepository(input: { key: "second", storage: LOCAL }) { __typename }
    }`);
    const { createInstance } = await fleet.ask(`mutation {
      createInstance(input: { key: "second", name: "Zweite", solution: "guarded",
        subscription: "trial", deviceRepository: "second", host: "greenhouse-1-host",
        labels: [{ name: "site", value: "north" }], configuration: { app: {} },
        settings: { deviceKey: "s3cret", alarmAddress: "me" } }) {
        __typename ... on InstanceSaved { instance { key settings labels { name value } } }
        ... on InvalidInput { issues { path message } } } }`);
    expect(createInstance.__typename).toBe('InstanceSaved');
    expect(JSON.stringify(createInstance)).not.toContain('s3cret');
    expect(createInstance.instance.settings).toEqual({ deviceKey: null, alarmAddress: 'me' });
    expect(await keys('{}')).toEqual(['greenhouse-1', 'second']);
    expect(await keys('{ state: [RUNNING] }')).toEqual(['greenhouse-1']);
    expect(await keys('{ converged: true }')).toEqual(['greenhouse-1']);
    expect(await keys('{ converged: false }')).toEqual(['second']);
    expect(await keys('{ desiredState: [STOPPED] }')).toEqual([]);
    expect(await keys('{ reachability: [UNKNOWN] }')).toEqual([]);
    expect(await keys('{ edition: [APP] }')).toEqual(['second']);
    expect(await keys('{ host: ["greenhouse-1-host"] }')).toEqual(['greenhouse-1', 'second']);
    expect(await keys('{ host: ["other"] }')).toEqual([]);
    expect(await keys('{ solution: ["guarded"], billingSubscription: ["trial"] }')).toEqual([
      'second',
    ]);
    const { solution } = await fleet.ask(
      '{ solution(solution: "greenhouse") { latestVersion { id } } }',
    );
    const { id } = solution.latestVersion;
    expect(await keys(`{ runsVersion: ["${id}"] }`)).toEqual(['greenhouse-1']);
    expect(await keys('{ runsVersion: ["1.0"] }')).toEqual([]);
    expect(await keys('{ label: [{ name: "site" }] }')).toEqual(['second']);
    expect(await keys('{ label: [{ name: "site", value: ["south"] }] }')).toEqual([]);
    expect(await keys('{ label: [{ name: "site", value: ["south", "north"] }] }')).toEqual([
      'second',
    ]);
    expect(await keys('{ text: "zwei" }')).toEqual(['second']);
    expect(await keys('{ archived: true }')).toEqual([]);
    const { instances } = await fleet.ask(
      '{ instances(orderBy: { field: STATE, direction: DESC }) { nodes { key } } }',
    );
    expect(instances.nodes).toEqual([{ key: 'greenhouse-1' }, { key: 'second' }]);
  });

  test('edited and deleted; a refused deletion says what is in the way', async () => {
    const deletion = (key: string) =>
      fleet.ask(`mutation { deleteInstance(input: { instance: "${key}" }) {
        __typename ... on InstanceDeleted { deletedId }
        ... on InstanceCommandRefused { code action from allowedActions } } }`);
    expect((await deletion('greenhouse-1')).deleteInstance).toMatchObject({
      __typename: 'InstanceCommandRefused',
      code: 'ILLEGAL_TRANSITION',
      action: 'DELETE',
      from: 'RUNNING',
    });
    const { updateInstance } = await fleet.ask(`mutation {
      updateInstance(input: { instance: "second", name: "Second", host: null, expectedVersion: 1 }) {
        __typename ... on InstanceSaved { instance { name version host { key } labels { name } } }
        ... on UserError { message } } }`);
    expect(updateInstance.instance).toEqual({
      name: 'Second',
      version: 2,
      host: null,
      labels: [{ name: 'site' }],
    });
    expect(await fleet.command('startInstance', { instance: 'second' })).toMatchObject({
      code: 'HOST_NOT_READY',
      allowedActions: ['DETACH', 'DELETE'],
    });
    expect((await deletion('second')).deleteInstance.__typename).toBe('InstanceDeleted');
    const { instances } = await fleet.ask(
      '{ instances(filter: { archived: true }) { nodes { key archivedAt allowedActions } } }',
    );
    expect(instances.nodes).toMatchObject([{ key: 'second', allowedActions: [] }]);
  });

  test('another organization sees none of it', async () => {
    const other = await fleet.organization('other');
    const { instances, instance, hosts, transitions, operations } = await fleet.ask(
      `{ instances { totalCount } instance(instance: "greenhouse-1") { key } hosts { totalCount }
         transitions { totalCount } operations { totalCount } }`,
      {},
      other,
    );
    const none = { totalCount: 0 };
    expect({ instances, instance, hosts, transitions, operations }).toEqual({
      instances: none,
      instance: null,
      hosts: none,
      transitions: none,
      operations: none,
    });
  });
});
