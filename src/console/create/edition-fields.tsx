/** The edition of a new instance, and what that edition asks for. */

import { ChoiceField, RadioField, TextField } from '../form/fields.tsx';
import type { Form } from '../form/form.ts';
import { choices } from './choices.ts';
import { configurationPath, type InstanceValues } from './instance-input.ts';
import { logStorages, sizes } from './resources.ts';
import { TagsFromRegistry } from './tags-from-registry.tsx';

const editions = [
  { value: 'APP', text: 'App', hint: 'stands alone on one machine' },
  { value: 'CONTAINER', text: 'Container', hint: 'one container, in a cloud or on premise' },
  { value: 'CLUSTER', text: 'Cluster', hint: 'several replicas share the work' },
] as const;

const deploymentTypes = [
  { value: 'MANAGED', text: 'Managed: our data center, deployed by one click' },
  { value: 'CLOUD', text: 'Cloud: your data center or private cloud' },
  { value: 'ON_PREMISE', text: 'On premise: an edge device on the factory floor' },
];

export function EditionFields({ form }: { form: Form<InstanceValues> }) {
  const values = form.values.value;
  return (
    <section class="group" aria-labelledby="edition-title">
      <h2 id="edition-title">How it is deployed</h2>
      <RadioField
        {...{ form, path: 'configuration', label: 'Edition' }}
        value={values.edition}
        onValue={(edition) => form.set('edition', edition as InstanceValues['edition'])}
        options={editions}
      />
      {values.edition !== 'APP' && <ImageFields form={form} />}
    </section>
  );
}

function ImageFields({ form }: { form: Form<InstanceValues> }) {
  const values = form.values.value;
  const repositories = choices.value.repositories;
  const repository = repositories.find(({ key }) => key === values.containerRepository);
  const at = (field: string) => ({ form, path: configurationPath(values, field), required: true });
  return (
    <>
      <ChoiceField
        {...at('deploymentType')}
        label="Deployment type"
        value={values.deploymentType}
        onValue={(value) => form.set('deploymentType', value)}
        options={deploymentTypes}
      />
      <ChoiceField
        {...at('workingStorage')}
        label="Working storage, where its logs are kept"
        value={values.workingStorage}
        onValue={(value) => form.set('workingStorage', value)}
        options={logStorages}
      />
      <ChoiceField
        {...at('imageSize')}
        label={values.edition === 'CLUSTER' ? 'Size of each machine' : 'Size of the machine'}
        value={values.imageSize}
        onValue={(value) => form.set('imageSize', value)}
        options={sizes}
      />
      {values.edition === 'CLUSTER' && (
        <TextField
          {...at('replicas')}
          label="Replicas"
          hint="How many runtimes share the work, 1 to 100."
          value={values.replicas}
          onValue={(value) => form.set('replicas', value)}
        />
      )}
      <ChoiceField
        {...at('containerRepository')}
        label="Container repository"
        value={values.containerRepository}
        onValue={(value) => {
          form.set('containerRepository', value);
          form.set('containerTag', '');
        }}
        options={[
          { value: '', text: 'Choose one' },
          ...repositories.map(({ key, name }) => ({ value: key, text: name })),
        ]}
      />
      <ChoiceField
        {...at('containerTag')}
        label="Tag"
        hint="The default is taken now and kept."
        value={values.containerTag}
        onValue={(value) => form.set('containerTag', value)}
        options={[
          { value: '', text: repository ? `Default: ${repository.defaultTag}` : 'Default' },
          ...(repository?.tags ?? []).map(({ name }) => ({ value: name, text: name })),
        ]}
      />
      {repository && <TagsFromRegistry repository={repository} />}
    </>
  );
}
