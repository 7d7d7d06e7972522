/** Reads the tags of a container repository from its registry: the button, how far it is, and why it failed. */
import { signal } from '@preact/signals';
import { request } from '../app/connection.ts';
import { Time } from '../part/time.tsx';
import { loadChoices, type RepositoryChoice } from './choices.ts';

/** Why the request itself has no answer, by the key of the repository. */
const refusals = signal<Readonly<Record<string, string>>>({});
const sending = signal<string | null>(null);

interface Outcome {
  readonly syncContainerTags: { readonly message?: string } | null;
}

async function read(key: string): Promise<void> {
  if (sending.value) return;
  sending.value = key;
  const { [key]: _, ...others } = refusals.value;
  refusals.value = others;
  try {
    const { syncContainerTags } = await request<Outcome>(
      `mutation ($input: SyncContainerTagsInput!) {
        syncContainerTags(input: $input) { __typename ... on UserError { message } } }`,
      { input: { containerRepository: key } },
    );
    const message = syncContainerTags?.message;
    if (message) refusals.value = { ...refusals.value, [key]: message };
  } catch (error) {
    refusals.value = { ...refusals.value, [key]: (error as Error).message };
  } finally {
    sending.value = null;
  }
  await loadChoices();
}

export function TagsFromRegistry({ repository }: { repository: RepositoryChoice }) {
  const { key, registry, lastTagSync: sync } = repository;
  const isReading = repository.stateName === 'SYNCING';
  const fault = isReading ? null : (refusals.value[key] ?? sync?.failure?.message ?? null);
  return (
    <div class="tag-sync">
      <button
        type="button"
        aria-disabled={isReading || sending.value !== null}
        onClick={() => {
          if (!isReading) void read(key);
        }}
      >
        Read tags from the registry
      </button>
      <span class="quiet" role="status">
        {isReading ? (
          <>
            Reading from {registry}
            {sync?.progress != null && `: ${Math.floor(sync.progress * 100)} %`}
          </>
        ) : repository.tagsSyncedAt ? (
          <>
            Read <Time at={repository.tagsSyncedAt} />
          </>
        ) : (
          `Not read from ${registry} yet`
        )}
      </span>
      {fault && (
        <p class="fault" role="alert">
          {fault}
        </p>
      )}
    </div>
  );
}
