/** Makes something that a form needs, without leaving the form. */
import { useEffect, useRef } from 'preact/hooks';
import type { Form } from '../form/form.ts';
import { type Made, ResourceForm } from './resource-form.tsx';
import type { ResourceSpec, Values } from './resources.ts';

export function MakeDialog({
  spec,
  form,
  onMade,
  onClose,
}: {
  spec: ResourceSpec;
  form: Form<Values>;
  onMade: (made: Made) => void;
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => opener?.focus();
  }, []);
  const title = `${form.name}-title`;
  return (
    <dialog ref={dialog} class="make" aria-labelledby={title} onClose={onClose}>
      <h2 id={title}>New {spec.noun.toLowerCase()}</h2>
      <ResourceForm spec={spec} form={form} onMade={onMade} onCancel={onClose} />
    </dialog>
  );
}
