/** What a new instance needs beside its host: a device repository, and who pays. Each can be made right here. */
import { signal } from '@preact/signals';
import { ChoiceField } from '../form/fields.tsx';
import { createForm, type Form } from '../form/form.ts';
import { choices } from './choices.ts';
import type { InstanceValues } from './instance-input.ts';
import { MakeDialog } from './make-dialog.tsx';
import { deviceRepositorySpec, initialValues, subscriptionSpec } from './resources.ts';
import { SearchBox } from './search-box.tsx';

const deviceForm = createForm('new-devices', () => initialValues(deviceRepositorySpec));
const subscriptionForm = createForm('new-subscription', () => initialValues(subscriptionSpec));

/** What is being made in a dialog. */
const making = signal<'DEVICES' | 'SUBSCRIPTION' | null>(null);

export function PayAndDevices({ form }: { form: Form<InstanceValues> }) {
  const values = form.values.value;
  const { deviceRepositories, deviceRepositoryCount, subscriptions } = choices.value;
  return (
    <section class="group" aria-labelledby="needs-title">
      <h2 id="needs-title">Devices and billing</h2>
      <SearchBox
        list="deviceRepository"
        label="Search the free device repositories"
        shown={deviceRepositories.length}
        all={deviceRepositoryCount}
      />
      <ChoiceField
        {...{ form, path: 'deviceRepository', label: 'Device repository', required: true }}
        hint="Those that no instance uses."
        value={values.deviceRepository}
        onValue={(key) => form.set('deviceRepository', key)}
        options={[
          { value: '', text: deviceRepositories.length > 0 ? 'Choose one' : 'None is free' },
          ...deviceRepositories.map(({ key, name, storage }) => ({
            value: key,
            text: `${name} · ${storage.toLowerCase()}`,
          })),
        ]}
        after={
          <button
            type="button"
            onClick={() => {
              if (deviceForm.values.value.key === '' && values.key !== '')
                deviceForm.set('key', `${values.key}-devices`);
              making.value = 'DEVICES';
            }}
          >
            Make a device repository
          </button>
        }
      />
      <ChoiceField
        {...{ form, path: 'subscription', label: 'Billing subscription', required: true }}
        value={values.subscription}
        onValue={(key) => form.set('subscription', key)}
        options={[
          { value: '', text: 'Choose one' },
          ...subscriptions.map(({ key, name, trial }) => ({
            value: key,
            text: `${name}${trial ? ' · trial' : ''}`,
          })),
        ]}
        after={
          <button
            type="button"
            onClick={() => {
              making.value = 'SUBSCRIPTION';
            }}
          >
            Make a subscription
          </button>
        }
      />
    </section>
  );
}

/** The dialogs of the fields above. They have forms of their own, so they stand beside that of the instance. */
export function MakingDialogs({ form }: { form: Form<InstanceValues> }) {
  const close = () => {
    making.value = null;
  };
  if (making.value === 'DEVICES') {
    return (
      <MakeDialog
        spec={deviceRepositorySpec}
        form={deviceForm}
        onClose={close}
        onMade={({ key }) => {
          form.set('deviceRepository', key);
          close();
        }}
      />
    );
  }
  if (making.value === null) return null;
  return (
    <MakeDialog
      spec={subscriptionSpec}
      form={subscriptionForm}
      onClose={close}
      onMade={({ key }) => {
        form.set('subscription', key);
        close();
      }}
    />
  );
}
