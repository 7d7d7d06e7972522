/** A new instance: what it runs, how it is deployed, where, and who pays. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { connection } from '../app/connection.ts';
import { open } from '../app/router.tsx';
import { AreaField, ChoiceField, type Option, TextField } from '../form/fields.tsx';
import { createForm } from '../form/form.ts';
import { IssueSummary } from '../form/issues.tsx';
import { KeyField, keyOf } from '../form/key-field.tsx';
import { LabelsField } from '../form/labels-field.tsx';
import { type ChosenSolution, choices, readSolution } from './choices.ts';
import { EditionFields } from './edition-fields.tsx';
import { HostFields } from './host-fields.tsx';
import { emptyInstance, type InstanceValues, instanceInput, wordingFor } from './instance-input.ts';
import { MakingDialogs, PayAndDevices } from './pay-and-devices.tsx';
import { Plan } from './plan.tsx';
import { SettingsFields } from './settings-fields.tsx';

/** The solution that is chosen, with the settings that it declares. */
const solution = signal<ChosenSolution | null>(null);

/** It outlives the view: what was typed is there when the view is opened again, but for secrets. */
const form = createForm('instance', emptyInstance, (values) => ({
  ...values,
  settings: Object.fromEntries(
    Object.entries(values.settings).filter(
      ([name]) => solution.value?.settings[name]?.secret !== true && solution.value !== null,
    ),
  ),
}));

/** The solution as the form has it now: the input must not leave out settings that were not read yet. */
async function chosenNow({ solution: key, version }: InstanceValues) {
  const read = solution.peek();
  if (key === '' || (read?.key === key && read.version === (version || null))) return read;
  return readSolution(key, version || null);
}

const formId = 'instance-form';
const keyed = { one: 'instance', many: 'instances' };

export function InstanceForm() {
  const values = form.values.value;
  const newest = newestOf(values.solution);
  useEffect(() => {
    let isCurrent = true;
    if (values.solution === '') solution.value = null;
    else
      readSolution(values.solution, values.version || null).then(
        (read) => {
          if (isCurrent) solution.value = read;
        },
        () => {},
      );
    return () => {
      isCurrent = false;
    };
  }, [values.solution, values.version, newest, connection.value]);

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (form.isSending.value) return;
    const typed = form.values.value;
    const chosen = await chosenNow(typed).catch(form.fail);
    if (chosen === undefined) return;
    const saved = await form.send<{ instance: { key: string } }>(
      {
        field: 'createInstance',
        input: 'CreateInstanceInput',
        saved: '... on InstanceSaved { instance { key } }',
      },
      instanceInput(typed, chosen?.settings ?? {}),
      wordingFor(typed),
    );
    if (!saved) return;
    form.reset();
    open(`/instances/${saved.instance.key}`);
  }
  return (
    <div class="create">
      <form id={formId} class="form" onSubmit={submit} noValidate aria-label="New instance">
        <IssueSummary form={form} />
        <WhatItIs />
        <section class="group" aria-labelledby="runs-title">
          <h2 id="runs-title">What it runs</h2>
          <SolutionFields solution={solution.value} />
        </section>
        <SettingsFields
          form={form}
          declared={solution.value?.settings ?? {}}
          values={values.settings}
          onValue={(name, value) => form.set('settings', { ...values.settings, [name]: value })}
        />
        <EditionFields form={form} />
        <HostFields form={form} />
        <PayAndDevices form={form} />
      </form>
      <Plan values={values} solution={solution.value} />
      <div class="form-actions">
        <button type="submit" form={formId} class="primary" aria-disabled={form.isSending.value}>
          {form.isSending.value ? 'Creating …' : 'Create the instance'}
        </button>
        <button type="button" onClick={form.reset}>
          Empty the form
        </button>
      </div>
      <MakingDialogs form={form} />
    </div>
  );
}

const newestOf = (solution: string): string | undefined =>
  choices.value.solutions.find(({ key }) => key === solution)?.latestVersion?.version;

function WhatItIs() {
  const values = form.values.value;
  return (
    <section class="group" aria-labelledby="what-title">
      <h2 id="what-title">What it is called</h2>
      <TextField
        {...{ form, path: 'name', label: 'Name', hint: 'For people. Empty: the key.' }}
        value={values.name}
        onValue={(name) => {
          const follows = values.key === keyOf(values.name);
          form.set('name', name);
          if (follows) form.set('key', keyOf(name));
        }}
      />
      <KeyField
        form={form}
        keyed={keyed}
        value={values.key}
        onValue={(key) => form.set('key', key)}
      />
      <AreaField
        {...{ form, path: 'description', label: 'Description' }}
        value={values.description}
        onValue={(description) => form.set('description', description)}
      />
      <LabelsField
        form={form}
        labels={values.labels}
        onLabels={(labels) => form.set('labels', labels)}
      />
    </section>
  );
}

function SolutionFields({ solution }: { solution: ChosenSolution | null }) {
  const values = form.values.value;
  const newest = newestOf(values.solution);
  const solutions: Option[] = choices.value.solutions.map(({ key, name, latestVersion }) => ({
    value: key,
    text: `${name === key ? key : `${name} (${key})`}${latestVersion ? '' : ', nothing published'}`,
  }));
  const versions = solution?.key === values.solution ? solution.versions : [];
  return (
    <>
      <ChoiceField
        {...{ form, path: 'solution', label: 'Solution', required: true }}
        value={values.solution}
        onValue={(key) => {
          form.set('solution', key);
          form.set('version', '');
        }}
        options={[{ value: '', text: 'Choose one' }, ...solutions]}
      />
      <ChoiceField
        {...{ form, path: 'solutionVersion', label: 'Version', required: true }}
        value={values.version}
        onValue={(version) => form.set('version', version)}
        options={[
          { value: '', text: `Always the newest${newest ? ` (${newest} now)` : ''}` },
          ...versions.map((version) => ({ value: version, text: `Always ${version}` })),
        ]}
      />
    </>
  );
}
