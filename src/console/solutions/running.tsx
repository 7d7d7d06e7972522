/** Which instances of a solution run which version, and which get another one at their next start. */
import { useSignal } from '@preact/signals';
import { Link } from '../app/router.tsx';
import { useReread } from '../operations/reread.ts';
import { StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { count } from '../part/words.ts';
import { type InstanceOfSolution, type InstancePage, type Read, readInstances } from './read.ts';

export function Running({ read: { solution, runs } }: { read: Read }) {
  const pages = useSignal(1);
  const shown = useSignal<readonly InstanceOfSolution[] | null>(null);
  const total = useSignal(0);
  useReread(
    async (isAsked) => {
      const all: InstanceOfSolution[] = [];
      let after: string | null = null;
      for (let page = 0; page < pages.peek(); page += 1) {
        const read: InstancePage | null = await readInstances(solution.key, after).catch(
          () => null,
        );
        if (!read || !isAsked()) return;
        all.push(...read.nodes);
        total.value = read.totalCount;
        after = read.pageInfo.endCursor;
        if (!read.pageInfo.hasNextPage) break;
      }
      shown.value = all;
    },
    [solution.key, pages.value],
  );
  const newest = solution.latestVersion?.version ?? null;
  const rows = (shown.value ?? []).map((instance) => ({
    instance,
    ...versionsOf(instance, newest),
  }));
  const others = rows.filter(({ now, next }) => now !== null && next !== null && now !== next);
  return (
    <>
      <section class="card" aria-labelledby="versions-title">
        <h2 id="versions-title">Versions</h2>
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Published</th>
              <th scope="col">Running now</th>
            </tr>
          </thead>
          <tbody>
            {solution.versions.nodes.map(({ id, version, publishedAt }) => (
              <tr key={id}>
                <td>
                  <code>{version}</code>
                </td>
                <td>
                  <Time at={publishedAt} exact />
                </td>
                <td>{runs.has(id) ? count(runs.get(id) ?? 0, 'instance') : 'not counted'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      <section aria-labelledby="instances-title" class="of-solution">
        <h2 id="instances-title">Instances</h2>
        {shown.value && (
          <p>
            {total.value === 0 && 'No instance is of this solution.'}
            {others.length > 0 &&
              `${count(others.length, 'instance')} will run another version after the next start.`}
            {rows.length > 0 && others.length === 0 && 'No next start will change a version.'}
          </p>
        )}
        {rows.length > 0 && (
          <table class="log-table">
            <thead>
              <tr>
                <th scope="col">Instance</th>
                <th scope="col">State</th>
                <th scope="col">Runs</th>
                <th scope="col">Takes at the next start</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(({ instance, now, next }) => (
                <tr key={instance.key}>
                  <td>
                    <Link href={`/instances/${instance.key}`}>{instance.key}</Link>
                  </td>
                  <td>
                    <StateSign kind="INSTANCE" state={instance.stateName} />
                  </td>
                  <td>{now ? <code>{now}</code> : <span class="quiet">not running</span>}</td>
                  <td>
                    {next ? <code>{next}</code> : 'none is published'}{' '}
                    <span class="quiet">
                      {instance.solutionVersion ? 'as it names it' : 'always the newest'}
                    </span>
                    {now && next && now !== next && (
                      <strong class="will-change"> another one</strong>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {shown.value && rows.length < total.value && (
          <button
            type="button"
            onClick={() => {
              pages.value += 1;
            }}
          >
            Show more of {total.value}
          </button>
        )}
      </section>
    </>
  );
}

function versionsOf({ run, solutionVersion }: InstanceOfSolution, newest: string | null) {
  const now = run && run.endedAt === null ? (run.solutionVersion?.version ?? null) : null;
  return { now, next: solutionVersion?.version ?? newest };
}
