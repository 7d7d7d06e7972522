/** The settings of an instance, as the chosen version of its solution declares them. */

import { ChoiceField, TextField } from '../form/fields.tsx';
import type { Form } from '../form/form.ts';
import type { DeclaredSetting } from './choices.ts';

export function SettingsFields({
  form,
  declared,
  values,
  onValue,
}: {
  form: Pick<Form<object>, 'name' | 'issues'>;
  declared: Readonly<Record<string, DeclaredSetting>>;
  values: Readonly<Record<string, string>>;
  onValue: (name: string, value: string) => void;
}) {
  const names = Object.keys(declared);
  if (names.length === 0) return null;
  return (
    <section class="group" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings</h2>
      {names.map((name) => {
        const setting = declared[name]!;
        const common = {
          form,
          path: `settings.${name}`,
          label: name,
          hint: hintOf(setting),
          required: (setting.required ?? true) && setting.default === undefined,
          value: values[name] ?? '',
          onValue: (value: string) => onValue(name, value),
        };
        if (setting.type === 'BOOLEAN') {
          const without =
            setting.default === undefined ? 'Not given' : `Default: ${setting.default}`;
          return (
            <ChoiceField
              key={name}
              {...common}
              options={[
                { value: '', text: without },
                { value: 'true', text: 'true' },
                { value: 'false', text: 'false' },
              ]}
            />
          );
        }
        return (
          <TextField
            key={name}
            {...common}
            type={setting.secret ? 'password' : 'text'}
            placeholder={setting.default === undefined ? undefined : String(setting.default)}
          />
        );
      })}
    </section>
  );
}

const types = {
  STRING: 'Text',
  NUMBER: 'A number',
  INTEGER: 'A whole number',
  BOOLEAN: 'Yes or no',
};

function hintOf(setting: DeclaredSetting): string {
  const { description, type, minimum, maximum, maxLength, pattern } = setting;
  const limits = [
    minimum !== undefined && `from ${minimum}`,
    maximum !== undefined && `to ${maximum}`,
    maxLength !== undefined && `${maxLength} characters at most`,
    pattern !== undefined && `by the pattern ${pattern}`,
  ].filter(Boolean);
  const rest = [
    setting.secret && 'Secret: never shown again.',
    setting.default !== undefined && `Empty: ${setting.default}.`,
  ].filter(Boolean);
  const kind = `${[types[type], ...limits].join(', ')}.`;
  return [description, kind, ...rest].filter(Boolean).join(' ');
}
