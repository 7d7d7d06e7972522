/** What can be created beside an instance, each by one mutation: its fields in their order. */
import type { Keyed } from '../form/key-field.tsx';
import type { LabelValue } from '../form/labels-field.tsx';

export type Values = Record<string, string | boolean | readonly LabelValue[]>;

export type FieldSpec =
  | { readonly kind: 'KEY' | 'NAME' | 'DESCRIPTION' | 'LABELS' | 'SUBSCRIPTION' | 'PROVIDER' }
  | {
      /** SECRET: an area whose text is written down nowhere. */
      readonly kind: 'TEXT' | 'LIST' | 'CHECK' | 'AREA' | 'SECRET';
      readonly path: string;
      readonly label: string;
      readonly hint?: string;
      readonly required?: boolean;
    }
  | {
      readonly kind: 'CHOICE';
      readonly path: string;
      readonly label: string;
      readonly hint?: string;
      readonly initial: string;
      readonly options: readonly { readonly value: string; readonly text: string }[];
    };

export interface ResourceSpec {
  /** Part of the address: `/create/host`. */
  readonly slug: string;
  readonly noun: string;
  /** What becomes of it. */
  readonly says: string;
  readonly keyed: Keyed;
  readonly mutation: { readonly field: string; readonly input: string; readonly type: string };
  readonly fields: readonly FieldSpec[];
}

export const sizes = [
  { value: 'EXTRA_SMALL', text: 'Extra small: for trying out' },
  { value: 'SMALL', text: 'Small: for a few devices' },
  { value: 'MEDIUM', text: 'Medium: for more messages' },
  { value: 'LARGE', text: 'Large: for complex business logic' },
  { value: 'EXTRA_LARGE', text: 'Extra large: for the most messages and the most complex logic' },
] as const;

export const storages = [
  { value: 'CLOUD', text: 'Cloud: kept by this server, can be read here' },
  { value: 'LOCAL', text: 'Local: in a file on the host, never leaves it, can not be read here' },
] as const;

export const logStorages = [
  storages[0],
  { value: 'LOCAL', text: 'Local: in a file on the host, sent to those who read it here' },
] as const;

export const hostSpec: ResourceSpec = {
  slug: 'host',
  noun: 'Host',
  says: 'It is created offline: nothing is allocated and nothing billed before it is deployed.',
  keyed: { one: 'host', many: 'hosts' },
  mutation: { field: 'createHost', input: 'CreateHostInput', type: 'HostSaved' },
  fields: [
    { kind: 'NAME' },
    { kind: 'KEY' },
    {
      ...{ kind: 'CHOICE', path: 'size', label: 'Size', initial: 'SMALL' },
      options: sizes,
    },
    { kind: 'PROVIDER' },
    {
      ...{ kind: 'TEXT', path: 'dnsName', label: 'DNS name' },
      hint: 'Within the zone of this server. Empty: the key.',
    },
    { kind: 'SUBSCRIPTION' },
    { kind: 'DESCRIPTION' },
    { kind: 'LABELS' },
  ],
};

export const deviceRepositorySpec: ResourceSpec = {
  slug: 'device-repository',
  noun: 'Device repository',
  says: 'It keeps the devices of one instance, and their last values.',
  keyed: { one: 'deviceRepository', many: 'deviceRepositories' },
  mutation: {
    field: 'createDeviceRepository',
    input: 'CreateDeviceRepositoryInput',
    type: 'DeviceRepositorySaved',
  },
  fields: [
    { kind: 'NAME' },
    { kind: 'KEY' },
    {
      ...{ kind: 'CHOICE', path: 'storage', label: 'Where data is kept', initial: 'CLOUD' },
      options: storages,
    },
    { kind: 'DESCRIPTION' },
  ],
};

export const containerRepositorySpec: ResourceSpec = {
  slug: 'container-repository',
  noun: 'Container repository',
  says: 'It names the image of a runtime, and the tags that instances may run.',
  keyed: { one: 'containerRepository', many: 'containerRepositories' },
  mutation: {
    field: 'createContainerRepository',
    input: 'CreateContainerRepositoryInput',
    type: 'ContainerRepositorySaved',
  },
  fields: [
    { kind: 'NAME' },
    { kind: 'KEY' },
    {
      ...{ kind: 'TEXT', path: 'image', label: 'Image', required: true },
      hint: 'Without a tag: registry.example/team/runtime',
    },
    {
      ...{ kind: 'LIST', path: 'tags', label: 'Tags' },
      hint: 'Oldest first, with spaces or commas between them: 1.0, 1.1',
    },
    {
      ...{ kind: 'TEXT', path: 'defaultTag', label: 'Default tag' },
      hint: 'For instances that name none. Empty: the last of the tags, else latest.',
    },
    { kind: 'DESCRIPTION' },
  ],
};

export const subscriptionSpec: ResourceSpec = {
  slug: 'billing-subscription',
  noun: 'Billing subscription',
  says: 'It pays for hosts and instances.',
  keyed: { one: 'billingSubscription', many: 'billingSubscriptions' },
  mutation: {
    field: 'createBillingSubscription',
    input: 'CreateBillingSubscriptionInput',
    type: 'BillingSubscriptionSaved',
  },
  fields: [
    { kind: 'NAME' },
    { kind: 'KEY' },
    { kind: 'CHECK', path: 'trial', label: 'A trial: what it pays for is metered, never priced' },
    { kind: 'DESCRIPTION' },
  ],
};

const docker = 'configuration.docker';
export const dockerSpec: ResourceSpec = {
  slug: 'docker-engine',
  noun: 'Docker engine',
  says: 'It becomes a compute provider of hosts. What reaches an engine is root on its machine.',
  keyed: { one: 'computeProvider', many: 'computeProviders' },
  mutation: {
    field: 'createComputeProvider',
    input: 'CreateComputeProviderInput',
    type: 'ComputeProviderSaved',
  },
  fields: [
    { kind: 'NAME' },
    { kind: 'KEY' },
    {
      ...{ kind: 'TEXT', path: `${docker}.endpoint`, label: 'Endpoint', required: true },
      hint: 'unix:///var/run/docker.sock on this machine, or tcp://engine.example:2376',
    },
    {
      ...{ kind: 'AREA', path: `${docker}.tls.caCertificate`, label: 'Certificate authority' },
      hint: 'PEM. An engine beyond this machine needs it, or the box below.',
    },
    {
      ...{ kind: 'AREA', path: `${docker}.tls.clientCertificate`, label: 'Client certificate' },
      hint: 'PEM: what the server shows to the engine.',
    },
    {
      ...{ kind: 'SECRET', path: `${docker}.tls.clientKey`, label: 'Client key' },
      hint: 'PEM. It is sealed in the store, and never shown again.',
    },
    {
      ...{ kind: 'CHECK', path: `${docker}.insecure` },
      label: 'Insecure: not encrypted; whoever reads the connection controls the engine',
    },
    {
      ...{ kind: 'TEXT', path: `${docker}.publishAddress`, label: 'Address of its hosts' },
      hint: 'IP address. Empty: 127.0.0.1, or that of the endpoint.',
    },
    { kind: 'CHECK', path: 'default', label: 'The default: new hosts that name none are on it' },
    { kind: 'DESCRIPTION' },
    { kind: 'LABELS' },
  ],
};

export const resourceSpecs = [
  hostSpec,
  deviceRepositorySpec,
  containerRepositorySpec,
  subscriptionSpec,
  dockerSpec,
] as const;

/** What its form begins with. */
export function initialValues({ fields }: ResourceSpec): Values {
  const values: Values = {
    key: '',
    name: '',
    description: '',
    subscription: '',
    provider: '',
    labels: [],
  };
  for (const field of fields) {
    if (!('path' in field)) continue;
    if (field.kind === 'CHOICE') values[field.path] = field.initial;
    else values[field.path] = field.kind === 'CHECK' ? false : '';
  }
  return values;
}

const ofKind: Readonly<Record<string, string>> = {
  KEY: 'key',
  NAME: 'name',
  DESCRIPTION: 'description',
  LABELS: 'labels',
  SUBSCRIPTION: 'subscription',
  PROVIDER: 'provider',
};

/** What of a form may be written down in this window: no secrets. */
export const withoutSecrets =
  ({ fields }: ResourceSpec) =>
  (values: Values): Values => {
    const secrets = fields.flatMap((field) => (field.kind === 'SECRET' ? [field.path] : []));
    return { ...values, ...Object.fromEntries(secrets.map((path) => [path, ''])) };
  };

/** The input of its mutation: what was left empty is left out, the key excepted. */
export function inputOf({ fields }: ResourceSpec, values: Values): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const field of fields) {
    const path = 'path' in field ? field.path : (ofKind[field.kind] ?? '');
    const value = values[path];
    const isNeeded = field.kind === 'KEY' || ('required' in field && field.required);
    if (value === '' && !isNeeded) continue;
    const names = path.split('.');
    const last = names.pop() ?? '';
    let at = input;
    for (const name of names) {
      at[name] ??= {};
      at = at[name] as Record<string, unknown>;
    }
    at[last] =
      field.kind === 'LIST'
        ? String(value)
            .split(/[\s,]+/)
            .filter(Boolean)
        : value;
  }
  return input;
}
