/** All solutions: their versions, and how many instances run which. */
import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { RequestError } from '../app/connection.ts';
import { Link, open } from '../app/router.tsx';
import { ResourceForm } from '../create/resource-form.tsx';
import { initialValues, type ResourceSpec } from '../create/resources.ts';
import { createForm } from '../form/form.ts';
import { useReread } from '../operations/reread.ts';
import { Time } from '../part/time.tsx';
import { count } from '../part/words.ts';
import { type Runs, readSolutions, type SolutionRow } from './read.ts';

const solutionSpec: ResourceSpec = {
  slug: 'solution',
  noun: 'Solution',
  says: 'It begins with a draft; what is published of it can be run.',
  keyed: { one: 'solution', many: 'solutions' },
  mutation: { field: 'createSolution', input: 'CreateSolutionInput', type: 'SolutionSaved' },
  fields: [{ kind: 'NAME' }, { kind: 'KEY' }, { kind: 'DESCRIPTION' }],
};
const form = createForm('solution', () => initialValues(solutionSpec));

const shown = signal<Awaited<ReturnType<typeof readSolutions>> | null>(null);
const failure = signal<string | null>(null);

export function List() {
  const isMaking = useSignal(false);
  // The next visit begins with a read of its own.
  useEffect(
    () => () => {
      shown.value = null;
      failure.value = null;
    },
    [],
  );
  useReread(async () => {
    await readSolutions().then(
      (read) => {
        shown.value = read;
        failure.value = null;
      },
      (error: unknown) => {
        if (error instanceof RequestError && error.code !== 'UNREACHABLE')
          failure.value = error.message;
      },
    );
  }, []);
  const read = shown.value;
  return (
    <>
      <div class="solutions-head">
        <h1>Solutions</h1>
        <button
          type="button"
          aria-expanded={isMaking.value}
          onClick={() => {
            isMaking.value = !isMaking.value;
          }}
        >
          New solution
        </button>
      </div>
      {isMaking.value && (
        <section class="card narrow" aria-label="New solution">
          <ResourceForm
            spec={solutionSpec}
            form={form}
            onMade={({ key }) => open(`/solutions/${key}`)}
            onCancel={() => {
              isMaking.value = false;
            }}
          />
        </section>
      )}
      {failure.value && <p role="alert">{failure.value}</p>}
      {read && <p class="quiet">{count(read.total, 'solution')}.</p>}
      {read && read.solutions.length > 0 && (
        <table class="log-table">
          <thead>
            <tr>
              <th scope="col">Solution</th>
              <th scope="col">Newest version</th>
              <th scope="col">Versions</th>
              <th scope="col">Instances</th>
              <th scope="col">Running now</th>
            </tr>
          </thead>
          <tbody>
            {read.solutions.map((solution) => (
              <Row key={solution.key} solution={solution} runs={read.runs} />
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function Row({ solution, runs }: { solution: SolutionRow; runs: Runs }) {
  const { key, name, description, latestVersion, versions, instances } = solution;
  const running = versions.nodes.filter(({ id }) => (runs.get(id) ?? 0) > 0);
  return (
    <tr>
      <td>
        <Link href={`/solutions/${key}`}>
          <strong>{name}</strong>
        </Link>{' '}
        {name !== key && <code>{key}</code>}
        {description && <div class="quiet small">{description}</div>}
      </td>
      <td>
        {latestVersion ? (
          <>
            <code>{latestVersion.version}</code>{' '}
            <span class="quiet small">
              published <Time at={latestVersion.publishedAt} />
            </span>
          </>
        ) : (
          'None is published'
        )}
      </td>
      <td>{count(versions.totalCount, 'version')}</td>
      <td>{count(instances.totalCount, 'instance')}</td>
      <td>
        {running.length === 0 && <span class="quiet">none</span>}
        {running.map(({ id, version }) => (
          <div key={id}>
            {count(runs.get(id) ?? 0, 'instance')} on <code>{version}</code>
          </div>
        ))}
      </td>
    </tr>
  );
}
