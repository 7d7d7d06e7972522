/** The key of something new: suggested from its name, and looked up while it is typed. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { request } from '../app/connection.ts';
import { Field } from './fields.tsx';
import { type Form, messageAt } from './form.ts';

/** What a key can belong to: the field of a query for one, and for many. */
export interface Keyed {
  readonly one: string;
  readonly many: string;
}

const pattern = /^[a-z][a-z0-9-]{1,62}$/;

/** `Greenhouse Nörd 7` → `greenhouse-nord-7`. */
export function keyOf(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 58);
}

/** Who has the key; archived ones keep theirs. */
async function ownerOf({ many }: Keyed, key: string): Promise<'FREE' | 'TAKEN' | 'DELETED'> {
  const { live, archived } = await request<Record<string, { totalCount: number }>>(
    `query ($key: [String!]) {
      live: ${many}(filter: { key: $key }) { totalCount }
      archived: ${many}(filter: { key: $key, archived: true }) { totalCount } }`,
    { key: [key] },
  );
  if ((live?.totalCount ?? 0) > 0) return 'TAKEN';
  return (archived?.totalCount ?? 0) > 0 ? 'DELETED' : 'FREE';
}

const words = {
  EMPTY: 'Short and fixed for ever: letters a to z, digits and hyphens.',
  FORM: 'Begin with a letter a to z; go on with letters a to z, digits and hyphens, 63 at most.',
  LOOKING: 'Looking whether it is free …',
  FREE: 'This key is free.',
  TAKEN: 'This key is taken: choose another.',
  DELETED: 'This key belonged to something that was deleted; a key is never given again.',
  UNKNOWN: 'Whether it is free is not known now; the server says so when it is sent.',
} as const;

/** What the server says too, once it has refused the key. */
const faulty: ReadonlySet<string> = new Set(['FORM', 'TAKEN', 'DELETED']);

export function KeyField({
  form,
  value,
  onValue,
  keyed,
}: {
  form: Pick<Form<object>, 'name' | 'issues'>;
  value: string;
  onValue: (value: string) => void;
  keyed: Keyed;
}) {
  const standing = useSignal<keyof typeof words>('EMPTY');
  useEffect(() => {
    if (!pattern.test(value)) {
      standing.value = value === '' ? 'EMPTY' : 'FORM';
      return;
    }
    standing.value = 'LOOKING';
    let isCurrent = true;
    const timer = setTimeout(() => {
      ownerOf(keyed, value).then(
        (owner) => {
          if (isCurrent) standing.value = owner;
        },
        () => {
          if (isCurrent) standing.value = 'UNKNOWN';
        },
      );
    }, 250);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [value, keyed]);
  const isSaid = messageAt(form.issues.value, 'key') !== undefined && faulty.has(standing.value);
  return (
    <Field
      form={form}
      path="key"
      label="Key"
      required
      hint={
        !isSaid && (
          <span role="status" data-standing={standing.value}>
            {words[standing.value]}
          </span>
        )
      }
    >
      {(control) => (
        <input
          {...control}
          class="code"
          value={value}
          maxLength={63}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          onInput={({ currentTarget }) => onValue(currentTarget.value)}
        />
      )}
    </Field>
  );
}
