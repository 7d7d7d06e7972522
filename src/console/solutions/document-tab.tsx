/** The draft of a solution: edited, checked while it is typed, saved, and published as a version. */
import { effect, type Signal, signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { setQuery } from '../app/router.tsx';
import { TextField } from '../form/fields.tsx';
import { createForm, type Form, readKept } from '../form/form.ts';
import { IssueSummary } from '../form/issues.tsx';
import { count } from '../part/words.ts';
import { type Checked, checkDocument, type PlacedIssue, textOf } from './check.ts';
import { Editor, goTo } from './editor.tsx';
import { placeAt } from './json-map.ts';
import { type Read, readDefinition, type SolutionNow } from './read.ts';

/** What is being edited; it outlives the view and the page, so that nothing typed is lost. */
interface Draft {
  readonly text: Signal<string>;
  /** What the server had when it was read: its text and its version. */
  readonly base: Signal<{ readonly text: string; readonly version: number }>;
  readonly form: Form<{ readonly version: string }>;
  readonly checked: Signal<Checked | null>;
}

const drafts = new Map<string, Draft>();

/** For a solution without a draft. */
const beginning = {
  description: '',
  settings: {},
  listeners: { http: { protocol: 'http', path: '/messages', auth: 'NONE' } },
  messages: { reading: { fields: { value: { type: 'NUMBER' } } } },
  inputCommands: { status: { auth: 'NONE', answer: { kind: 'STATUS' } } },
};

const serverText = ({ definition }: SolutionNow): string => textOf(definition ?? beginning);

function draftOf(solution: SolutionNow): Draft {
  const text = serverText(solution);
  let draft = drafts.get(solution.key);
  if (!draft) {
    const place = `draft ${solution.key}`;
    const kept = readKept<{ text: string; base: { text: string; version: number } }>(place);
    const made = {
      text: signal(kept.text ?? text),
      base: signal(kept.base ?? { text, version: solution.version }),
    };
    effect(() => {
      const now = { text: made.text.value, base: made.base.value };
      if (now.text === now.base.text) sessionStorage.removeItem(place);
      else sessionStorage.setItem(place, JSON.stringify(now));
    });
    draft = {
      ...made,
      form: createForm(`document-${solution.key}`, () => ({ version: '' })),
      checked: signal(null),
    };
    drafts.set(solution.key, draft);
  }
  const isEdited = draft.text.peek() !== draft.base.peek().text;
  if (!isEdited && draft.base.peek().version < solution.version) {
    draft.text.value = text;
    draft.base.value = { text, version: solution.version };
  }
  return draft;
}

const editorId = 'document';

export function DocumentTab({ read, onSaved }: { read: Read; onSaved: () => Promise<void> }) {
  const { solution, runs } = read;
  const draft = draftOf(solution);
  const { text, base, form, checked } = draft;
  const said = useSignal<string | null>(null);
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(async () => {
      const found = await checkDocument(text.value);
      if (isCurrent) checked.value = found;
    }, 150);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text.value]);
  const isEdited = text.value !== base.value.text;
  const issues = together(draft);
  const onText = (typed: string): void => {
    text.value = typed;
    said.value = null;
    form.issues.value = form.issues.peek().filter(({ path }) => !isInDocument(path));
  };

  async function save(mutation: 'updateSolution' | 'publishSolutionVersion'): Promise<void> {
    said.value = null;
    const sent = text.value;
    const found = await checkDocument(sent);
    checked.value = found;
    const [first] = found.issues;
    if (!found.parsed) {
      if (first) goTo(editorId, sent, first.offset);
      return;
    }
    const saved = await form.send<{ version?: { version: string }; solution?: object }>(
      mutations[mutation],
      {
        ...{ solution: solution.key, definition: found.parsed.value },
        expectedVersion: base.value.version,
        ...(mutation === 'publishSolutionVersion' && {
          version: form.values.value.version || null,
        }),
      },
    );
    if (!saved) return;
    base.value = { text: sent, version: base.value.version + 1 };
    form.set('version', '');
    await onSaved();
    const before = solution.latestVersion?.version;
    if (!saved.version) said.value = 'The draft is saved.';
    else if (before) setQuery({ tab: 'changes', from: before, to: saved.version.version });
    else said.value = `Version ${saved.version.version} is published.`;
  }

  return (
    <form
      class="form document"
      noValidate
      aria-label="The document"
      onSubmit={(event) => {
        event.preventDefault();
        if (!form.isSending.value) void save('publishSolutionVersion');
      }}
    >
      <IssueSummary form={form} place={(path) => linkTo(draft, path)} />
      <p role="status" class={said.value ? 'done' : undefined}>
        {said.value}
      </p>
      {base.value.version < solution.version && isEdited && (
        <p class="fault">
          The draft was changed by someone else since you began: saving yours will be refused. Take
          what you need, then drop your edits.
        </p>
      )}
      <Editor id={editorId} text={text.value} issues={issues} onText={onText} />
      <div class="form-actions">
        <button
          type="button"
          onClick={() => {
            const value = checked.value?.parsed?.value;
            if (value !== undefined) onText(textOf(value));
          }}
          aria-disabled={!checked.value?.parsed}
        >
          Format
        </button>
        <button
          type="button"
          aria-disabled={!isEdited || form.isSending.value}
          onClick={() => {
            if (isEdited && !form.isSending.value) void save('updateSolution');
          }}
        >
          Save the draft
        </button>
        <button
          type="button"
          aria-disabled={!isEdited}
          onClick={() => {
            if (!isEdited) return;
            base.value = { text: serverText(solution), version: solution.version };
            onText(base.value.text);
          }}
        >
          Drop my edits
        </button>
        <BeginFrom solution={solution} isEdited={isEdited} onText={onText} />
      </div>
      <Publish draft={draft} solution={solution} running={sum(runs)} />
    </form>
  );
}

const sum = (runs: ReadonlyMap<string, number>): number =>
  [...runs.values()].reduce((all, each) => all + each, 0);

const mutations = {
  updateSolution: {
    field: 'updateSolution',
    input: 'UpdateSolutionInput',
    saved: '... on SolutionSaved { solution { key } }',
  },
  publishSolutionVersion: {
    field: 'publishSolutionVersion',
    input: 'PublishSolutionVersionInput',
    saved: '... on SolutionVersionPublished { version { version } }',
  },
} as const;

const isInDocument = (path: string): boolean => /^definition(\.|$)/.test(path);

/** What the page has found, and what the server has besides. */
function together({ text, checked, form }: Draft): readonly PlacedIssue[] {
  const found = checked.value;
  if (!found || found.text !== text.value) return found?.issues ?? [];
  const known = new Set(found.issues.map(({ path }) => path));
  const more = form.issues.value
    .filter(({ path }) => isInDocument(path))
    .map((issue) => ({ ...issue, path: issue.path.replace(/^definition\.?/, '') }))
    .filter(({ path }) => !known.has(path))
    .map((issue) => {
      const offset = found.parsed?.placeOf(issue.path) ?? 0;
      return { ...issue, offset, ...placeAt(found.text, offset) };
    });
  return [...found.issues, ...more].sort((a, b) => a.offset - b.offset);
}

/** Leads from a fault of the document to its line. */
function linkTo({ text, checked }: Draft, path: string) {
  if (!isInDocument(path)) return null;
  const offset = checked.value?.parsed?.placeOf(path.replace(/^definition\.?/, '')) ?? 0;
  const { line } = placeAt(text.value, offset);
  return { label: `Line ${line}`, go: () => goTo(editorId, text.value, offset) };
}

/** Puts the document of a published version into the editor. */
function BeginFrom({
  solution,
  isEdited,
  onText,
}: {
  solution: SolutionNow;
  isEdited: boolean;
  onText: (text: string) => void;
}) {
  const versions = solution.versions.nodes;
  if (versions.length === 0) return null;
  return (
    <label class="begin-from">
      Begin anew from
      <select
        value=""
        disabled={isEdited}
        title={isEdited ? 'Save or drop your edits first' : undefined}
        onChange={async ({ currentTarget }) => {
          const version = currentTarget.value;
          currentTarget.value = '';
          const definition = await readDefinition(solution.key, version).catch(() => undefined);
          if (definition !== undefined) onText(textOf(definition));
        }}
      >
        <option value="">{isEdited ? 'save or drop your edits first' : 'a version …'}</option>
        {versions.map(({ id, version }) => (
          <option key={id} value={version}>
            {version}
          </option>
        ))}
      </select>
    </label>
  );
}

function Publish({
  draft: { form },
  solution,
  running,
}: {
  draft: Draft;
  solution: SolutionNow;
  running: number;
}) {
  const others = solution.instances.totalCount;
  return (
    <section class="card publish" aria-labelledby="publish-title">
      <h2 id="publish-title">Publish it as a version</h2>
      <p>
        A version never changes. Of {count(others, 'instance')}, those that name no version take it
        at their next start; {count(running, 'run')} {running === 1 ? 'goes' : 'go'} on as{' '}
        {running === 1 ? 'it is' : 'they are'} until then.
      </p>
      <TextField
        {...{ form, path: 'version', label: 'Version', isCode: true }}
        hint="Digits with dots, greater than all before. Empty: the next minor one."
        value={form.values.value.version}
        placeholder={nextMinor(solution.latestVersion?.version)}
        onValue={(version) => form.set('version', version)}
      />
      <div class="form-actions">
        <button type="submit" class="primary" aria-disabled={form.isSending.value}>
          {form.isSending.value ? 'Sending …' : 'Publish'}
        </button>
      </div>
    </section>
  );
}

function nextMinor(version: string | undefined): string {
  if (!version) return '1.0';
  const [major = '1', minor = '0'] = version.split('.');
  return `${major}.${Number(minor) + 1}`;
}
