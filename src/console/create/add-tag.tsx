/** Adds a tag to a container repository that is there. */
import { signal } from '@preact/signals';
import { CheckField, ChoiceField, TextField } from '../form/fields.tsx';
import { createForm } from '../form/form.ts';
import { IssueSummary } from '../form/issues.tsx';
import { choices, loadChoices } from './choices.ts';
import { TagsFromRegistry } from './tags-from-registry.tsx';

const form = createForm('tag', () => ({ containerRepository: '', tag: '', default: false }));
const added = signal<string | null>(null);

export function AddTag() {
  const values = form.values.value;
  const repository = choices.value.repositories.find(
    ({ key }) => key === values.containerRepository,
  );
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    if (form.isSending.value) return;
    added.value = null;
    const typed = form.values.value;
    const saved = await form.send(
      {
        field: 'addContainerTag',
        input: 'AddContainerTagInput',
        saved: '... on ContainerRepositorySaved { containerRepository { key } }',
      },
      typed,
    );
    if (!saved) return;
    form.set('tag', '');
    added.value = `${typed.containerRepository} has the tag ${typed.tag} now.`;
    await loadChoices();
  }
  return (
    <form class="form" onSubmit={submit} noValidate aria-label="Add a tag">
      <h2>Add a tag</h2>
      <IssueSummary form={form} />
      <p role="status">{added.value}</p>
      <ChoiceField
        {...{ form, path: 'containerRepository', label: 'Container repository', required: true }}
        hint={repository && `Its tags: ${repository.tags.map(({ name }) => name).join(', ')}`}
        value={values.containerRepository}
        onValue={(value) => form.set('containerRepository', value)}
        options={[
          { value: '', text: 'Choose one' },
          ...choices.value.repositories.map(({ key, name }) => ({ value: key, text: name })),
        ]}
      />
      {repository && <TagsFromRegistry repository={repository} />}
      <TextField
        {...{ form, path: 'tag', label: 'Tag', required: true, isCode: true }}
        value={values.tag}
        onValue={(value) => form.set('tag', value)}
      />
      <CheckField
        {...{ form, path: 'default', label: 'The default, for instances that name none' }}
        checked={values.default}
        onChecked={(checked) => form.set('default', checked)}
      />
      <div class="form-actions">
        <button type="submit" class="primary" aria-disabled={form.isSending.value}>
          Add the tag
        </button>
      </div>
    </form>
  );
}
