/** On which compute provider a new host is. */
import { ChoiceField } from '../form/fields.tsx';
import type { Form } from '../form/form.ts';
import { choices, type ProviderChoice } from './choices.ts';

export function ProviderField<Values extends object>({
  form,
  value,
  onValue,
}: {
  form: Form<Values>;
  value: string;
  onValue: (provider: string) => void;
}) {
  const { providers } = choices.value;
  const byDefault = providers.find(({ isDefault }) => isDefault);
  return (
    <ChoiceField
      {...{ form, path: 'provider', label: 'Compute provider', value, onValue }}
      hint="For life: a host does not move to another one."
      options={[
        { value: '', text: `The default${byDefault ? `: ${textOf(byDefault)}` : ''}` },
        ...providers
          .filter(({ isDefault }) => !isDefault)
          .map((each) => ({ value: each.key, text: textOf(each) })),
      ]}
    />
  );
}

function textOf({ key, name, kind, status: { reachable, capacity, allocated } }: ProviderChoice) {
  const free = capacity && kind !== 'PROCESS' && Math.max(0, capacity.cpus - allocated.cpus);
  return [
    name === key ? key : `${name} (${key})`,
    ...(reachable === false ? ['does not answer'] : []),
    ...(capacity && free !== null ? [`${free} of ${capacity.cpus} CPU free`] : []),
  ].join(' · ');
}
