/** What was typed for a new instance, and the input that it makes. */

import type { Issue } from '../form/form.ts';
import type { LabelValue } from '../form/labels-field.tsx';
import type { DeclaredSetting } from './choices.ts';

export interface InstanceValues {
  readonly name: string;
  readonly key: string;
  readonly description: string;
  readonly labels: readonly LabelValue[];
  readonly solution: string;
  /** Empty: always the newest. */
  readonly version: string;
  readonly edition: 'APP' | 'CONTAINER' | 'CLUSTER';
  readonly deploymentType: string;
  readonly workingStorage: string;
  readonly imageSize: string;
  readonly replicas: string;
  readonly containerRepository: string;
  /** Empty: the repository's default. */
  readonly containerTag: string;
  readonly deviceRepository: string;
  readonly subscription: string;
  readonly hosting: 'OWN' | 'SHARED';
  readonly host: string;
  /** Of its own host; empty: the default. */
  readonly provider: string;
  /** As typed, by name; empty: the default. */
  readonly settings: Readonly<Record<string, string>>;
}

export const emptyInstance = (): InstanceValues => ({
  ...{ name: '', key: '', description: '', labels: [], solution: '', version: '' },
  ...{ edition: 'APP', deploymentType: 'MANAGED', workingStorage: 'CLOUD', imageSize: 'SMALL' },
  ...{ replicas: '2', containerRepository: '', containerTag: '', deviceRepository: '' },
  ...{ subscription: '', hosting: 'OWN', host: '', provider: '', settings: {} },
});

/** Where the server reports on the configuration: `configuration.container.imageSize`. */
export const configurationPath = ({ edition }: InstanceValues, field: string): string =>
  `configuration.${edition.toLowerCase()}.${field}`;

/** The input of `createInstance`. What can not be read goes as it is, so that the server's fault stands at its field. */
export function instanceInput(
  values: InstanceValues,
  declared: Readonly<Record<string, DeclaredSetting>>,
): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(declared)) {
    const text = values.settings[name] ?? '';
    if (text !== '') settings[name] = settingValue(setting, text);
  }
  return {
    key: values.key,
    name: values.name || null,
    description: values.description || null,
    labels: values.labels,
    solution: values.solution,
    solutionVersion: values.version || null,
    subscription: values.subscription,
    deviceRepository: values.deviceRepository,
    host: values.hosting === 'SHARED' ? values.host : null,
    provider: (values.hosting === 'OWN' && values.provider) || null,
    settings,
    configuration: configurationOf(values),
  };
}

function configurationOf(values: InstanceValues): object {
  const { edition, deploymentType, workingStorage, imageSize, containerRepository } = values;
  if (edition === 'APP') return { app: {} };
  const image = {
    ...{ deploymentType, workingStorage, imageSize, containerRepository },
    containerTag: values.containerTag || null,
  };
  if (edition === 'CONTAINER') return { container: image };
  const replicas = Number(values.replicas);
  const isCount = Number.isInteger(replicas) && Math.abs(replicas) <= 1000;
  return { cluster: { ...image, replicas: isCount ? replicas : 0 } };
}

function settingValue({ type }: DeclaredSetting, text: string): string | number | boolean {
  if (type === 'STRING') return text;
  if (type === 'BOOLEAN') return text === 'true';
  const number = Number(text.replace(',', '.'));
  return Number.isFinite(number) ? number : text;
}

/** For people, what the server says of what was not chosen. */
export function wordingFor(values: InstanceValues): Issue[] {
  const wanted: [string, string, string][] = [
    ['solution', values.solution, 'Choose a solution.'],
    ['deviceRepository', values.deviceRepository, 'Choose a free device repository, or make one.'],
    ['subscription', values.subscription, 'Choose who pays, or make a subscription.'],
    ['host', values.host, 'Choose a host to share, or take one of its own.'],
    [
      configurationPath(values, 'containerRepository'),
      values.containerRepository,
      'Choose where the image comes from.',
    ],
  ];
  return wanted.flatMap(([path, value, message]) => (value === '' ? [{ path, message }] : []));
}
