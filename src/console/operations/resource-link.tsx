/** Leads to an instance or a host, or to where the tags of container repositories are read. */
import { Link } from '../app/router.tsx';
import type { ResourceName } from './operation.ts';

export function ResourceLink({ resource }: { resource: ResourceName }) {
  if (resource.__typename === 'ContainerRepository') {
    return (
      <Link href="/create/container-repository">
        container repository <strong>{resource.key}</strong>
      </Link>
    );
  }
  const isHost = resource.__typename === 'Host';
  return (
    <Link href={`/${isHost ? 'hosts' : 'instances'}/${resource.key}`}>
      {isHost ? 'host' : 'instance'} <strong>{resource.key}</strong>
    </Link>
  );
}
