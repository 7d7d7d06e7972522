/** Instances or hosts that a subscription names, those included that are created while it runs. */
import type { LogEvent } from '../../feed/channel/event.ts';
import type { Context } from '../base/context.ts';
import { parseGlobalId } from '../base/ids.ts';

export interface NamedResources {
  /** Is the event of one of them? Asked of each event in the order of the log. */
  has(event: LogEvent): boolean;
  /**
   * Looks up the keys that mean nothing yet. What is created behind the place from which events are
   * asked about needs none of it.
   */
  lookUp(): Promise<void>;
}

/** Those that any of these global ids or keys name, archived or not. */
export function namedResources(
  { store, viewer }: Context,
  type: 'Instance' | 'Host',
  idsOrKeys: readonly string[],
): NamedResources {
  const kind = type === 'Instance' ? 'INSTANCE' : 'HOST';
  const ids = new Set<string>();
  /** A key is never given again: what it was found to mean it means for good. */
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
      const { query } = store.database.drizzle;
      const wanted = {
        columns: { id: true, key: true } as const,
        where: { organizationId: viewer.organizationId, key: { in: [...unknown] } },
      };
      const rows =
        type === 'Instance'
          ? await query.instances.findMany(wanted)
          : await query.hosts.findMany(wanted);
      for (const { id, key } of rows) know(id, key);
    },
  };
}
