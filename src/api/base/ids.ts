/** Global ids: `Type:uuid` in base64. Arguments accept a global id or a key. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export interface GlobalId {
  readonly type: string;
  readonly id: string;
}

/** The global id of a row. */
export function globalId(type: string, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64');
}

/** Type and uuid of a global id; null if it is not one. */
export function parseGlobalId(text: string): GlobalId | null {
  const decoded = Buffer.from(text, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const id = decoded.slice(colon + 1).toLowerCase();
  const type = decoded.slice(0, colon);
  if (colon < 1 || !uuid.test(id) || globalId(type, id) !== text) return null;
  return { type, id };
}

/** Is it a uuid that a column of that type accepts? */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && uuid.test(text);
}

/**
 * The reference for the store, of an argument that accepts an id or a key: the uuid of a global id
 * of this type, anything else unchanged. An id of another type stays unchanged and matches no key.
 */
export function referenceOf(type: string, idOrKey: string): string {
  const parsed = parseGlobalId(idOrKey);
  return parsed?.type === type ? parsed.id : idOrKey;
}

/**
 * Selects a row by global id or key, for the `where` of a read. Never matches an id of another
 * type.
 */
export function byIdOrKey(type: string, idOrKey: string): { id: string } | { key: string } {
  const parsed = parseGlobalId(idOrKey);
  return parsed?.type === type ? { id: parsed.id } : { key: idOrKey };
}

/** Selects the rows that any of these global ids or keys name. */
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
