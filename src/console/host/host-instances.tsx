/** The instances on a host. */
import { Link } from '../app/router.tsx';
import { Section } from '../part/section.tsx';
import { appearanceOf, StateSign } from '../part/state-sign.tsx';
import { Time } from '../part/time.tsx';
import { words } from '../part/words.ts';
import { addressOf } from '../resource/model.ts';
import type { Host } from './host.ts';

export function HostInstances({ instances }: { instances: Host['instances'] }) {
  const { nodes, totalCount } = instances;
  return (
    <Section id="instances" title={`Instances: ${totalCount}`}>
      {nodes.length === 0 && <p class="quiet">There is none on it.</p>}
      {nodes.length > 0 && (
        <ul class="host-instances bare">
          {nodes.map(({ id, key, name, state, stateSince, ...instance }) => (
            <li key={id}>
              <span>
                <Link href={addressOf('INSTANCE', key)}>{key}</Link>{' '}
                {name !== key && <span class="quiet">{name}</span>}
              </span>
              <StateSign
                kind="INSTANCE"
                state={state}
                isUnconfirmed={instance.reachability === 'UNKNOWN'}
              />
              <span class="quiet">
                <Time at={stateSince} />, desired{' '}
                {appearanceOf('INSTANCE', instance.desiredState).word}
                {instance.activeOperation && `, ${words(instance.activeOperation.kind)} under way`}
              </span>
            </li>
          ))}
        </ul>
      )}
      {totalCount > nodes.length && (
        <p class="quiet">
          The first {nodes.length} of {totalCount}.
        </p>
      )}
    </Section>
  );
}
