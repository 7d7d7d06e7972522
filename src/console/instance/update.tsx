/** Moves an instance to another image: the tag is chosen, and the operation shows the way. */
import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { request } from '../app/connection.ts';
import { Section } from '../part/section.tsx';
import { CommandButton } from '../resource/command-bar.tsx';
import type { Commands } from '../resource/commands.ts';
import type { StateMachine } from '../resource/model.ts';
import { reasonAgainst } from '../resource/reason-against.ts';
import { type Instance, tagsQuery } from './instance.ts';

const explained =
  'The image is pulled first, while the instance goes on. One that does not start is taken back.';

interface Tag {
  readonly name: string;
  readonly digest: string | null;
}

export function Update({
  instance,
  ...about
}: {
  instance: Instance;
  machine: StateMachine | null;
  blocker: string | null;
  commands: Commands;
}) {
  const { containerRepository, containerTag = '' } = instance.configuration;
  const chosen = useSignal<string | null>(null);
  const read = useSignal<readonly Tag[]>([]);
  const id = useId();
  const repository = containerRepository?.key;
  // Read again when the tags were: only the answer to whether there is an update is followed.
  useEffect(() => {
    if (!repository) return;
    request<{ containerRepository: { tags: readonly Tag[] } | null }>(tagsQuery, {
      key: repository,
    }).then(
      (data) => {
        read.value = data.containerRepository?.tags ?? [];
      },
      () => undefined,
    );
  }, [repository, instance.updateAvailable]);
  if (!containerRepository) return null;
  const tag = chosen.value ?? containerTag;
  const known = read.value.some(({ name }) => name === tag);
  const tags = [...read.value, ...(known ? [] : [{ name: tag, digest: null }])].reverse();
  const against = reasonAgainst('UPDATE_RUNTIME', {
    ...{ kind: 'INSTANCE', resource: instance, machine: about.machine, blocker: about.blocker },
  });
  const command = {
    ...{ action: 'UPDATE_RUNTIME', word: 'Update', field: 'updateRuntime' },
    input: { containerTag: tag },
  };
  return (
    <Section id="update" title="Image">
      <p role="status">
        {instance.updateAvailable
          ? `The tag ${containerTag} names another image now than the one that runs.`
          : instance.updateAvailable === false
            ? `The tag ${containerTag} names the image that runs, as it was last read.`
            : 'Whether there is an update is not known: the tags were not read from the registry.'}
      </p>
      <div class="update-choice">
        <label for={id}>Tag of {containerRepository.name}</label>
        <select
          id={id}
          value={tag}
          onChange={({ currentTarget }) => {
            chosen.value = currentTarget.value;
          }}
        >
          {tags.map(({ name, digest }) => (
            <option key={name} value={name}>
              {[name, digest?.slice(7, 19), name === containerTag && 'chosen now']
                .filter(Boolean)
                .join(' · ')}
            </option>
          ))}
        </select>
        <CommandButton
          {...about}
          kind="INSTANCE"
          resource={instance}
          command={command}
          place="update"
          isPrimary={instance.updateAvailable === true}
        />
      </div>
      <p class="quiet">{against ?? explained}</p>
    </Section>
  );
}
