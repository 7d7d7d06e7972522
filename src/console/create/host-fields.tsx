/** Where a new instance runs: on a host of its own, or on one that is there. */

import { ChoiceField, RadioField } from '../form/fields.tsx';
import type { Form } from '../form/form.ts';
import { appearanceOf } from '../part/state-sign.tsx';
import { choices } from './choices.ts';
import type { InstanceValues } from './instance-input.ts';
import { ProviderField } from './provider-field.tsx';
import { SearchBox } from './search-box.tsx';

const hostings = [
  { value: 'OWN', text: 'Its own', hint: 'a new host, made with it' },
  { value: 'SHARED', text: 'Shared', hint: 'a host that is there' },
] as const;

export function HostFields({ form }: { form: Form<InstanceValues> }) {
  const values = form.values.value;
  const { hosts, hostCount } = choices.value;
  return (
    <section class="group" aria-labelledby="host-title">
      <h2 id="host-title">Where it runs</h2>
      <RadioField
        {...{ form, path: 'hosting', label: 'Host' }}
        value={values.hosting}
        onValue={(hosting) => form.set('hosting', hosting as InstanceValues['hosting'])}
        options={hostings}
      />
      {values.hosting === 'OWN' && (
        <ProviderField
          form={form}
          value={values.provider}
          onValue={(provider) => form.set('provider', provider)}
        />
      )}
      {values.hosting === 'SHARED' && (
        <>
          <SearchBox list="host" label="Search the hosts" shown={hosts.length} all={hostCount} />
          <ChoiceField
            {...{ form, path: 'host', label: 'Host to share', required: true }}
            value={values.host}
            onValue={(host) => form.set('host', host)}
            options={[
              { value: '', text: 'Choose one' },
              ...hosts.map(({ key, name, state, size, removing }) => ({
                value: key,
                text: [
                  name === key ? key : `${name} (${key})`,
                  appearanceOf('HOST', state).word,
                  size.toLowerCase().replace('_', ' '),
                  ...(removing ? ['being removed'] : []),
                ].join(' · '),
              })),
            ]}
          />
        </>
      )}
    </section>
  );
}
