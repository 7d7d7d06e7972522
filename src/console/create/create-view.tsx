/** Creates an instance, and what instances are made of. */
import { signal } from '@preact/signals';
import { Link } from '../app/router.tsx';
import { useReread } from '../operations/reread.ts';
import { AddTag } from './add-tag.tsx';
import { loadChoices } from './choices.ts';
import './create.css';
import { createForm } from '../form/form.ts';
import { InstanceForm } from './instance-form.tsx';
import { type Made, ResourceForm } from './resource-form.tsx';
import { initialValues, type ResourceSpec, resourceSpecs, withoutSecrets } from './resources.ts';

/** They outlive the view: what was typed is there when it is opened again. */
const forms = new Map(
  resourceSpecs.map((spec) => [
    spec.slug,
    createForm(spec.slug, () => initialValues(spec), withoutSecrets(spec)),
  ]),
);
const made = signal<{ readonly spec: ResourceSpec; readonly made: Made } | null>(null);

export function CreateView({ path }: { path: readonly string[] }) {
  useReread(loadChoices, []);
  const spec = resourceSpecs.find(({ slug }) => slug === path[1]);
  const tabs = [
    { href: '/create', noun: 'Instance', isOpen: !spec },
    ...resourceSpecs.map((each) => ({
      href: `/create/${each.slug}`,
      noun: each.noun,
      isOpen: each === spec,
    })),
  ];
  return (
    <>
      <h1>Create {spec ? `a ${spec.noun.toLowerCase()}` : 'an instance'}</h1>
      <nav class="view-tabs" aria-label="What to create">
        {tabs.map(({ href, noun, isOpen }) => (
          <Link key={href} href={href} aria-current={isOpen ? 'page' : undefined}>
            {noun}
          </Link>
        ))}
      </nav>
      {spec ? <ResourceTab key={spec.slug} spec={spec} /> : <InstanceForm />}
    </>
  );
}

function ResourceTab({ spec }: { spec: ResourceSpec }) {
  const last = made.value?.spec === spec ? made.value.made : null;
  const form = forms.get(spec.slug);
  if (!form) return null;
  return (
    <div class="narrow">
      <p role="status" class={last ? 'done' : undefined}>
        {last && (
          <>
            The {spec.noun.toLowerCase()} <code>{last.key}</code> is created.{' '}
            {spec.slug === 'host' && <Link href={`/hosts/${last.key}`}>Open it</Link>}
            {spec.slug === 'docker-engine' && <Link href="/providers">See whether it answers</Link>}
          </>
        )}
      </p>
      <ResourceForm
        spec={spec}
        form={form}
        onMade={(now) => {
          made.value = { spec, made: now };
        }}
      />
      {spec.slug === 'container-repository' && <AddTag />}
    </div>
  );
}
