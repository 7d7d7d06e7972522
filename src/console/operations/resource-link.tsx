/** Leads to an instance or a host. */
import { Link } from '../app/router.tsx';
import type { ResourceName } from './operation.ts';

export function ResourceLink({ resource }: { resource: ResourceName }) {
  const isHost = resource.__typename === 'Host';
  return (
    <Link href={`/${isHost ? 'hosts' : 'instances'}/${resource.key}`}>
      {isHost ? 'host' : 'instance'} <strong>{resource.key}</strong>
    </Link>
  );
}
