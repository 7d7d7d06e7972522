/** Labels: rows of a name and a value. */
import type { Form } from './form.ts';
import { fieldId, messageAt } from './form.ts';

export interface LabelValue {
  readonly name: string;
  readonly value: string;
}

export function LabelsField({
  form,
  labels,
  onLabels,
}: {
  form: Pick<Form<object>, 'name' | 'issues'>;
  labels: readonly LabelValue[];
  onLabels: (labels: readonly LabelValue[]) => void;
}) {
  const change = (index: number, part: Partial<LabelValue>) =>
    onLabels(labels.map((label, at) => (at === index ? { ...label, ...part } : label)));
  const fault = messageAt(form.issues.value, 'labels');
  return (
    <fieldset class="field" id={fieldId(form, 'labels')} tabIndex={-1}>
      <legend>
        Labels<span class="quiet"> (optional)</span>
      </legend>
      {labels.map((label, index) => (
        <div class="label-row" key={index}>
          {(['name', 'value'] as const).map((part) => (
            <LabelPart
              key={part}
              form={form}
              path={`labels.${index}.${part}`}
              text={`Label ${index + 1}, ${part}`}
              placeholder={part === 'name' ? 'site' : 'north'}
              value={label[part]}
              onValue={(value) => change(index, { [part]: value })}
            />
          ))}
          <button
            type="button"
            aria-label={`Remove label ${index + 1}`}
            onClick={() => onLabels(labels.filter((_, at) => at !== index))}
          >
            Remove
          </button>
        </div>
      ))}
      {fault && <p class="fault">{fault}</p>}
      <button type="button" onClick={() => onLabels([...labels, { name: '', value: '' }])}>
        Add a label
      </button>
    </fieldset>
  );
}

function LabelPart({
  form,
  path,
  text,
  placeholder,
  value,
  onValue,
}: {
  form: Pick<Form<object>, 'name' | 'issues'>;
  path: string;
  text: string;
  placeholder: string;
  value: string;
  onValue: (value: string) => void;
}) {
  const id = fieldId(form, path);
  const fault = messageAt(form.issues.value, path);
  return (
    <div>
      <label class="unseen" for={id}>
        {text}
      </label>
      <input
        id={id}
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        aria-invalid={fault !== undefined || undefined}
        aria-describedby={fault ? `${id}-fault` : undefined}
        onInput={({ currentTarget }) => onValue(currentTarget.value)}
      />
      {fault && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}
