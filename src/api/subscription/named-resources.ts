/** What a subscription names by id or key, including what is created while it runs. */
import type { LogEvent } from '../../feed/channel/event.ts';
import type { Context } from '../base/context.ts';
import { parseGlobalId } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';

const kinds = {
  Instance: 'INSTANCE',
  Host: 'HOST',
  ComputeProvider: 'COMPUTE_PROVIDER',
  ContainerRepository: 'CONTAINER_REPOSITORY',
} as const;

export interface NamedResources {
  /** Does the event belong to one of them? Called for each event in the order of the log. */
  has(event: LogEvent): boolean;
  /**
   * Looks up the keys that are still unknown. Resources created after the position from which
   * events are passed in need no look-up.
   */
  lookUp(): Promise<void>;
}

/** The resources that any of these global ids or keys name, archived or not. */
export function namedResources(
  context: Context,
  type: keyof typeof kinds,
  idsOrKeys: readonly string[],
): NamedResources {
  const kind = kinds[type];
  const ids = new Set<string>();
  /** A key is never reused, so its resource never changes. */
  const unknown = new Set<string>();
  for (const idOrKey of idsOrKeys) {
    const parsed = parseGlobalId(idOrKey);
    if (parsed?.type === type) ids.add(parsed.id);
    else unknown.add(idOrKey);
  }

  function know(id: string, key: unknown): void {
    if (unknown.delete(key as string)) ids.add(id);
  }

  return {
    has(event) {
      if (event.resourceKind !== kind) return false;
      if (event.kind === 'CREATED' && unknown.size > 0) know(event.resourceId, event.details.key);
      return ids.has(event.resourceId);
    },
    async lookUp() {
      if (unknown.size === 0) return;
      const wanted = {
        columns: { id: true, key: true } as const,
        where: { key: { in: [...unknown] } },
      };
      for (const { id, key } of await rowsOf(context, type, wanted)) know(id, key);
    },
  };
}

interface Wanted {
  readonly columns: { readonly id: true; readonly key: true };
  readonly where: { readonly key: { in: string[] } };
}

function rowsOf(
  context: Context,
  type: keyof typeof kinds,
  wanted: Wanted,
): Promise<{ id: string; key: string }[]> {
  switch (type) {
    case 'Instance':
      return readsOf(context, 'instances').findMany(wanted);
    case 'Host':
      return readsOf(context, 'hosts').findMany(wanted);
    case 'ContainerRepository':
      return readsOf(context, 'containerRepositories').findMany(wanted);
    case 'ComputeProvider':
      return readsOf(context, 'computeProviders').findMany(wanted);
    default:
      return type satisfies never;
  }
}
