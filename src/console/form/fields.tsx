/** Fields of a form: a label, a control, a hint, and what is wrong, which belong together for every reader. */
import './form.css';
import type { ComponentChildren } from 'preact';
import { type Form, fieldId, messageAt } from './form.ts';

// biome-ignore lint/suspicious/noExplicitAny: a field needs the form's name and issues, whatever its values.
type AnyForm = Pick<Form<any>, 'name' | 'issues'>;

export interface FieldProps {
  readonly form: AnyForm;
  /** Where the server reports what is wrong with it. */
  readonly path: string;
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly required?: boolean;
}

/** What a control needs to belong to its label, hint and fault. */
export interface ControlProps {
  readonly id: string;
  readonly 'aria-invalid': boolean | undefined;
  readonly 'aria-describedby': string | undefined;
  readonly required: boolean;
}

export function Field({
  form,
  path,
  label,
  hint,
  required = false,
  children,
}: FieldProps & { children: (control: ControlProps) => ComponentChildren }) {
  const id = fieldId(form, path);
  const fault = messageAt(form.issues.value, path);
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ');
  return (
    <div class="field" data-faulty={fault !== undefined || undefined}>
      <label for={id}>
        {label}
        {!required && <span class="quiet"> (optional)</span>}
      </label>
      {children({
        id,
        required,
        'aria-invalid': fault !== undefined || undefined,
        'aria-describedby': described || undefined,
      })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  );
}

type TextProps = FieldProps & {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly type?: 'text' | 'password';
  readonly placeholder?: string;
  readonly isCode?: boolean;
};

export function TextField({
  value,
  onValue,
  type = 'text',
  placeholder,
  isCode,
  ...rest
}: TextProps) {
  return (
    <Field {...rest}>
      {(control) => (
        <input
          {...control}
          type={type as 'text'}
          class={isCode ? 'code' : undefined}
          value={value}
          placeholder={placeholder}
          autocomplete={type === 'password' ? 'new-password' : 'off'}
          spellcheck={false}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function AreaField({ value, onValue, ...rest }: Omit<TextProps, 'type'>) {
  return (
    <Field {...rest}>
      {(control) => (
        <textarea
          {...control}
          rows={2}
          value={value}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Field>
  );
}

export interface Option {
  readonly value: string;
  readonly text: string;
}

export function ChoiceField({
  value,
  onValue,
  options,
  after,
  ...rest
}: FieldProps & {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly options: readonly Option[];
  /** Beside the control: a button that makes one. */
  readonly after?: ComponentChildren;
}) {
  return (
    <Field {...rest}>
      {(control) => (
        <div class="beside">
          <select
            {...control}
            value={value}
            onChange={({ currentTarget }) => onValue(currentTarget.value)}
          >
            {/* What is chosen stays in sight when the list no longer has it. */}
            {value !== '' && !options.some((option) => option.value === value) && (
              <option value={value}>{value}</option>
            )}
            {options.map((option) => (
              <option key={option.value} value={option.value}>
                {option.text}
              </option>
            ))}
          </select>
          {after}
        </div>
      )}
    </Field>
  );
}

/** A few choices, all in sight. */
export function RadioField({
  form,
  path,
  label,
  value,
  onValue,
  options,
}: FieldProps & {
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly options: readonly (Option & { readonly hint?: string })[];
}) {
  const id = fieldId(form, path);
  const fault = messageAt(form.issues.value, path);
  return (
    <fieldset class="field" id={id} tabIndex={-1} data-faulty={fault !== undefined || undefined}>
      <legend>{label}</legend>
      <div class="radios">
        {options.map((option) => (
          <label key={option.value} class="radio">
            <input
              type="radio"
              name={id}
              checked={value === option.value}
              onChange={() => onValue(option.value)}
            />
            <span>
              <strong>{option.text}</strong>
              {option.hint && <span class="quiet"> {option.hint}</span>}
            </span>
          </label>
        ))}
      </div>
      {fault && <p class="fault">{fault}</p>}
    </fieldset>
  );
}

export function CheckField({
  form,
  path,
  label,
  checked,
  onChecked,
}: FieldProps & { readonly checked: boolean; readonly onChecked: (checked: boolean) => void }) {
  const id = fieldId(form, path);
  return (
    <label class="check" for={id}>
      <input
        id={id}
        type="checkbox"
        checked={checked}
        onChange={({ currentTarget }) => onChecked(currentTarget.checked)}
      />
      {label}
    </label>
  );
}
