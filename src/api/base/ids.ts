/** Global ids: `Type:uuid` in base64. Arguments take them, or the key. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface GlobalId {
  readonly type: string;
  readonly id: string;
}

/** The id that the API shows of a row. */
export function globalId(type: string, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

/** What a global id names; null where it is none. */
export function parseGlobalId(text: string): GlobalId | null {
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const id = decoded.slice(colon + 1).toLowerCase();
  const type = decoded.slice(0, colon);
  if (colon < 1 || !uuid.test(id) || globalId(type, id) !== text) return null;
  return { type, id };
}

/** Is it a uuid, as columns of that type take it? */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && uuid.test(text);
}

/**
 * What to hand to the store for an argument that takes an id or a key: the uuid of a global id of
 * this type, anything else as it is. An id of another type stays itself, which is never a key.
 */
export function referenceOf(type: string, idOrKey: string): string {
  const parsed = parseGlobalId(idOrKey);
  return parsed?.type === type ? parsed.id : idOrKey;
}

/** Picks a row by global id or key, for the `where` of a read. Never matches an id of another type. */
export function named(type: string, idOrKey: string): { id: string } | { key: string } {
  const parsed = parseGlobalId(idOrKey);
  return parsed?.type === type ? { id: parsed.id } : { key: idOrKey };
}

/** Picks the rows that any of these global ids or keys name. */
export function anyNamed(
  type: string,
  idsOrKeys: readonly string[],
): { OR: [{ id: { in: string[] } }, { key: { in: string[] } }] } {
  const ids: string[] = [];
  const keys: string[] = [];
  for (const idOrKey of idsOrKeys) {
    const parsed = parseGlobalId(idOrKey);
    if (parsed?.type === type) ids.push(parsed.id);
    else keys.push(idOrKey);
  }
  return { OR: [{ id: { in: ids } }, { key: { in: keys } }] };
}
