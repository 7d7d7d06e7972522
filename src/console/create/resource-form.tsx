/** The form of a host, a repository or a subscription, on its tab or in a dialog. */

import { AreaField, CheckField, ChoiceField, TextField } from '../form/fields.tsx';
import type { Form } from '../form/form.ts';
import { IssueSummary } from '../form/issues.tsx';
import { KeyField, keyOf } from '../form/key-field.tsx';
import { LabelsField, type LabelValue } from '../form/labels-field.tsx';
import { choices, loadChoices } from './choices.ts';
import { ProviderField } from './provider-field.tsx';
import { type FieldSpec, inputOf, type ResourceSpec, type Values } from './resources.ts';

export interface Made {
  readonly key: string;
  readonly name: string;
}

export function ResourceForm({
  spec,
  form,
  onMade,
  onCancel,
}: {
  spec: ResourceSpec;
  form: Form<Values>;
  onMade: (made: Made) => void;
  onCancel?: () => void;
}) {
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (form.isSending.value) return;
    const { field, input, type } = spec.mutation;
    const saved = `... on ${type} { made: ${spec.keyed.one} { key name } }`;
    const outcome = await form.send<{ made: Made }>(
      { field, input, saved },
      inputOf(spec, form.values.value),
    );
    if (!outcome) return;
    form.reset();
    await loadChoices();
    onMade(outcome.made);
  }
  return (
    <form class="form" onSubmit={submit} noValidate>
      <IssueSummary form={form} />
      <p class="quiet">{spec.says}</p>
      {spec.fields.map((field) => (
        <SpecField
          key={'path' in field ? field.path : field.kind}
          spec={spec}
          field={field}
          form={form}
        />
      ))}
      <div class="form-actions">
        <button type="submit" class="primary" aria-disabled={form.isSending.value}>
          {form.isSending.value ? 'Creating …' : `Create the ${spec.noun.toLowerCase()}`}
        </button>
        {onCancel && (
          <button type="button" onClick={onCancel}>
            Cancel
          </button>
        )}
      </div>
    </form>
  );
}

function SpecField({
  spec,
  field,
  form,
}: {
  spec: ResourceSpec;
  field: FieldSpec;
  form: Form<Values>;
}) {
  const values = form.values.value;
  const text = (name: string): string => String(values[name] ?? '');
  switch (field.kind) {
    case 'NAME':
      return (
        <TextField
          {...{ form, path: 'name', label: 'Name', hint: 'Empty: the key.' }}
          value={text('name')}
          onValue={(name) => {
            const follows = text('key') === keyOf(text('name'));
            form.set('name', name);
            if (follows) form.set('key', keyOf(name));
          }}
        />
      );
    case 'KEY':
      return (
        <KeyField
          form={form}
          keyed={spec.keyed}
          value={text('key')}
          onValue={(key) => form.set('key', key)}
        />
      );
    case 'DESCRIPTION':
      return (
        <AreaField
          {...{ form, path: 'description', label: 'Description' }}
          value={text('description')}
          onValue={(value) => form.set('description', value)}
        />
      );
    case 'LABELS':
      return (
        <LabelsField
          form={form}
          labels={values.labels as readonly LabelValue[]}
          onLabels={(labels) => form.set('labels', labels)}
        />
      );
    case 'SUBSCRIPTION':
      return (
        <ChoiceField
          {...{ form, path: 'subscription', label: 'Billing subscription' }}
          value={text('subscription')}
          onValue={(value) => form.set('subscription', value)}
          options={[
            { value: '', text: 'None: metered all the same' },
            ...choices.value.subscriptions.map(({ key, name }) => ({ value: key, text: name })),
          ]}
        />
      );
    case 'PROVIDER':
      return (
        <ProviderField
          {...{ form }}
          value={text('provider')}
          onValue={(value) => form.set('provider', value)}
        />
      );
    case 'AREA':
    case 'SECRET':
      return (
        <AreaField
          {...{ form, path: field.path, label: field.label, hint: field.hint }}
          value={text(field.path)}
          onValue={(value) => form.set(field.path, value)}
          isCode
        />
      );
    case 'CHOICE':
      return (
        <ChoiceField
          {...{ form, path: field.path, label: field.label, hint: field.hint, required: true }}
          value={text(field.path)}
          onValue={(value) => form.set(field.path, value)}
          options={field.options}
        />
      );
    case 'CHECK':
      return (
        <CheckField
          {...{ form, path: field.path, label: field.label }}
          checked={values[field.path] === true}
          onChecked={(checked) => form.set(field.path, checked)}
        />
      );
    case 'TEXT':
    case 'LIST':
      return (
        <TextField
          {...{ form, path: field.path, label: field.label, hint: field.hint }}
          required={field.required}
          value={text(field.path)}
          onValue={(value) => form.set(field.path, value)}
          isCode
        />
      );
    default:
      return field satisfies never;
  }
}
