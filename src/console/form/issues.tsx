/** What is wrong with a form, in one place: it takes the focus after a refusal, and leads to the fields. */
import { useEffect, useRef } from 'preact/hooks';
import { type Form, fieldId, type Issue, sentence } from './form.ts';

export function IssueSummary({
  form,
  place,
}: {
  // biome-ignore lint/suspicious/noExplicitAny: whatever its values.
  form: Form<any>;
  /** Where a path stands that is no field of its own: a line of a document. */
  place?: (path: string) => Target | null;
}) {
  const box = useRef<HTMLDivElement>(null);
  const refusals = form.refusals.value;
  useEffect(() => {
    if (refusals > 0) box.current?.focus();
  }, [refusals]);
  const issues = inOrder(form);
  const failure = form.failure.value;
  if (issues.length === 0 && failure === null) return null;
  const count = issues.length === 1 ? 'One thing is' : `${issues.length} things are`;
  return (
    <div class="issues" role="alert" tabIndex={-1} ref={box}>
      {failure && <p>{failure}</p>}
      {issues.length > 0 && <p>{count} to be mended; nothing was created.</p>}
      {issues.length > 0 && (
        <ul>
          {issues.map(({ path, message }) => (
            <li key={`${path} ${message}`}>
              <IssueLink
                target={place?.(path) ?? fieldOf(form, path)}
                path={path}
                message={sentence(message)}
              />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** What an issue leads to. */
interface Target {
  readonly label: string;
  go(): void;
}

function fieldOf(form: { readonly name: string }, path: string): Target | null {
  const id = fieldId(form, path);
  const field = path === '' ? null : document.getElementById(id);
  return field && { label: labelOf(field), go: () => document.getElementById(id)?.focus() };
}

function IssueLink({
  target,
  path,
  message,
}: {
  target: Target | null;
  path: string;
  message: string;
}) {
  if (!target) return <>{isOfPage(path) ? message : `${path}: ${message}`}</>;
  return (
    <button type="button" class="plain" onClick={target.go}>
      {target.label}: {message}
    </button>
  );
}

/** What the page fills in by itself: its name says nothing to who reads it. */
const isOfPage = (path: string): boolean =>
  ['', 'expectedVersion', 'idempotencyKey'].includes(path);

function labelOf(field: HTMLElement): string {
  const label =
    field.querySelector('legend')?.textContent ??
    document.querySelector(`label[for="${field.id}"]`)?.textContent ??
    '';
  return label.replace(/ \(optional\)$/, '');
}

/** As the fields stand on the page; what belongs to none comes first. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its values.
function inOrder(form: Form<any>): Issue[] {
  const fields = Array.from(document.querySelectorAll(`[id^="${form.name}-"]`), ({ id }) => id);
  const place = ({ path }: Issue): number => fields.indexOf(fieldId(form, path));
  return form.issues.value.toSorted((a, b) => place(a) - place(b));
}
