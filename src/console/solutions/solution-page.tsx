/** One solution, on three tabs. */
import { useSignal } from '@preact/signals';
import { RequestError } from '../app/connection.ts';
import { address, Link } from '../app/router.tsx';
import { useReread } from '../operations/reread.ts';
import { Time } from '../part/time.tsx';
import { count } from '../part/words.ts';
import { Changes } from './changes.tsx';
import { DocumentTab } from './document-tab.tsx';
import { type Read, readSolution, type SolutionNow } from './read.ts';
import { Running } from './running.tsx';

const tabs = [
  { name: 'document', title: 'Document' },
  { name: 'changes', title: 'Changes' },
  { name: 'instances', title: 'Instances' },
] as const;

export function SolutionPage({ name }: { name: string }) {
  const read = useSignal<Read | null | undefined>(undefined);
  const failure = useSignal<string | null>(null);
  const readAnew = async (): Promise<void> => {
    await readSolution(name).then(
      (now) => {
        read.value = now;
        failure.value = null;
      },
      (error: unknown) => {
        if (error instanceof RequestError && error.code !== 'UNREACHABLE')
          failure.value = error.message;
      },
    );
  };
  useReread(readAnew, [name]);
  if (failure.value) return <p role="alert">{failure.value}</p>;
  if (read.value === undefined) return null;
  if (read.value === null) {
    return (
      <div class="empty">
        <h1>{name}</h1>
        <p>There is no solution of this key.</p>
        <Link href="/solutions">All solutions</Link>
      </div>
    );
  }
  const { solution } = read.value;
  const tab = address.value.query.get('tab') ?? 'document';
  return (
    <>
      <div class="solutions-head">
        <h1>
          <Link href="/solutions">Solutions</Link> / {solution.name}
        </h1>
        {solution.name !== solution.key && <code>{solution.key}</code>}
      </div>
      <Standing solution={solution} />
      <nav class="view-tabs" aria-label={`Of ${solution.name}`}>
        {tabs.map(({ name: each, title }) => (
          <Link
            key={each}
            href={`/solutions/${solution.key}?tab=${each}`}
            aria-current={tab === each ? 'page' : undefined}
          >
            {title}
          </Link>
        ))}
      </nav>
      {tab === 'changes' && <Changes solution={solution} />}
      {tab === 'instances' && <Running read={read.value} />}
      {tab !== 'changes' && tab !== 'instances' && (
        <DocumentTab read={read.value} onSaved={readAnew} />
      )}
    </>
  );
}

function Standing({ solution }: { solution: SolutionNow }) {
  const { latestVersion, versions, instances, description } = solution;
  return (
    <p class="quiet">
      {description && <>{description} </>}
      {latestVersion ? (
        <>
          Newest version <code>{latestVersion.version}</code>, published{' '}
          <Time at={latestVersion.publishedAt} />; {count(versions.totalCount, 'version')},{' '}
        </>
      ) : (
        'Nothing is published yet, so no instance of it can start; '
      )}
      {count(instances.totalCount, 'instance')}.
    </p>
  );
}
