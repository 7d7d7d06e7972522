/** The deployment of an instance: its configuration by edition, its runs, and its endpoints. */
import type { InferSelectModel } from 'drizzle-orm';
import type { instances, StoredEndpoint } from '../../store/table/schema.ts';
import { builder } from '../base/builder.ts';
import { DeploymentType, Edition, EndpointKind, HostSize, StorageLocation } from '../base/enums.ts';

const typeOf = {
  APP: 'AppConfiguration',
  CONTAINER: 'ContainerConfiguration',
  CLUSTER: 'ClusterConfiguration',
} as const;

const AppConfiguration = builder.drizzleObject('instances', {
  variant: 'AppConfiguration',
  fields: (t) => ({ edition: t.field({ type: Edition, resolve: ({ edition }) => edition }) }),
});

/** The configuration of an instance that is deployed from an image. */
const imageConfiguration = (variant: 'ContainerConfiguration' | 'ClusterConfiguration') =>
  builder.drizzleObject('instances', {
    variant,
    fields: (t) => ({
      edition: t.field({ type: Edition, resolve: ({ edition }) => edition }),
      deploymentType: t.field({
        type: DeploymentType,
        resolve: ({ deploymentType }) => deploymentType!,
      }),
      workingStorage: t.field({
        type: StorageLocation,
        resolve: ({ workingStorage }) => workingStorage!,
      }),
      imageSize: t.field({ type: HostSize, resolve: ({ imageSize }) => imageSize! }),
      ...(variant === 'ClusterConfiguration' && {
        replicas: t.int({ resolve: ({ replicas }) => replicas! }),
      }),
      containerRepository: t.relation('containerRepository', { nullable: false }),
      containerTag: t.string({ resolve: ({ containerTag }) => containerTag! }),
    }),
  });
const ContainerConfiguration = imageConfiguration('ContainerConfiguration');
const ClusterConfiguration = imageConfiguration('ClusterConfiguration');

/** A union over the columns of the row of the instance. */
export const InstanceConfiguration = builder.unionType('InstanceConfiguration', {
  types: [AppConfiguration, ContainerConfiguration, ClusterConfiguration],
  resolveType: (row) => typeOf[(row as InferSelectModel<typeof instances>).edition],
});

export const InstanceRun = builder.drizzleObject('runs', {
  name: 'InstanceRun',
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => id }),
    solutionVersion: t.relation('solutionVersion', { nullable: true }),
    image: t.string({
      nullable: true,
      resolve: ({ image, imageTag }) => (image && imageTag ? `${image}:${imageTag}` : image),
    }),
    imageDigest: t.string({ nullable: true, resolve: ({ imageDigest }) => imageDigest }),
    startedAt: t.field({ type: 'DateTime', resolve: ({ startedAt }) => startedAt }),
    endedAt: t.field({ type: 'DateTime', nullable: true, resolve: ({ endedAt }) => endedAt }),
  }),
});

export interface EndpointShape extends StoredEndpoint {
  /** The DNS name of the host; null while it has no record. */
  readonly dnsName: string | null;
}

export const Endpoint = builder.objectRef<EndpointShape>('Endpoint').implement({
  fields: (t) => ({
    kind: t.expose('kind', { type: EndpointKind }),
    name: t.exposeString('name'),
    protocol: t.exposeString('protocol'),
    url: t.string({
      resolve: ({ protocol, address, port, path }) => {
        const host = address.includes(':') ? `[${address}]` : address;
        // A path in the address of MQTT would be a topic.
        return `${protocol}://${host}:${port}${protocol === 'mqtt' ? '' : path}`;
      },
    }),
    address: t.exposeString('address'),
    port: t.exposeInt('port'),
    dnsName: t.exposeString('dnsName', { nullable: true }),
  }),
});
