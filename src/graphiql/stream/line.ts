/** One line for an event: what it is about, and what changed against the event before. */

/** A value that is new, or that came in the place of another. */
export interface Change {
  /** Where, from the root field down. Empty: the state itself. */
  readonly path: string;
  readonly from?: string;
  readonly to: string;
}

export interface Line {
  /** The key or name of the resource. Empty: the document does not select it. */
  readonly subject: string;
  readonly changes: readonly Change[];
  /** Changes beyond those. */
  readonly more: number;
}

type Fields = Readonly<Record<string, unknown>>;

const mostChanges = 4;
/** They change with every event, and say nothing about it. */
const everChanging = /(^|\.)(cursor|sequence|at|stateSince|id|__typename)$/;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
/** The first digits of an id in a text are enough for a line. */
const ids = /\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const text = (value: unknown): string =>
  typeof value === 'string' ? value.replaceAll(ids, '$1…') : (JSON.stringify(value) ?? '');

/** The resource that an event is about, as far as the document selects it. */
export function resourceOf(event: Fields): Fields | null {
  for (const name of ['resource', 'instance', 'host', 'operation'])
    if (isObject(event[name]) && (event[name].id ?? event[name].key) !== undefined)
      return event[name];
  return null;
}

/** By which an event is compared with an earlier one. */
export function identityOf(event: Fields): string {
  const resource = resourceOf(event);
  return text(resource?.id ?? resource?.key ?? '');
}

/** @param before the last event of the same resource; null: this is the first */
export function lineOf(event: Fields, before: Fields | null): Line {
  const resource = resourceOf(event);
  const subject = text(resource?.key ?? resource?.name ?? event.key ?? '');
  if (typeof event.text === 'string') return lineOfLog(event, subject);
  const from = event.from ?? event.fromState;
  const to = event.to ?? event.toState;
  const isTransition = from !== undefined && to !== undefined;
  const state: Change[] = isTransition ? [{ path: '', from: text(from), to: text(to) }] : [];
  const old = new Map(before ? leavesOf(before) : []);
  const shown =
    /^(from|to|fromState|toState|(resource|instance|host)\.(key|name|state|stateName))$/;
  const others = leavesOf(event).filter(
    ([path, value]) =>
      !everChanging.test(path) && old.get(path) !== value && !(isTransition && shown.test(path)),
  );
  // Beside a transition it matters what is new, as who made it and by which operation, not what was before.
  const changes = others.map(([path, to]) => ({
    path,
    from: isTransition ? undefined : old.get(path),
    to,
  }));
  const known = [...state, ...(isTransition ? changes.filter(({ to }) => to !== 'null') : changes)];
  return {
    subject,
    changes: known.slice(0, mostChanges),
    more: Math.max(0, known.length - mostChanges),
  };
}

function lineOfLog({ level, text: line }: Fields, subject: string): Line {
  return { subject, changes: [{ path: text(level ?? ''), to: text(line) }], more: 0 };
}

/** The values of an event with their paths. A list is one value. */
function leavesOf(value: Fields, path = ''): [string, string][] {
  return Object.entries(value).flatMap(([name, inner]): [string, string][] => {
    const at = path === '' ? name : `${path}.${name}`;
    if (isObject(inner) && !Array.isArray(inner)) return leavesOf(inner, at);
    return [[at, text(inner)]];
  });
}

/** The line as text: for a search, and for who hears it. */
export function spoken({ subject, changes, more }: Line): string {
  const words = changes.map(({ path, from, to }) =>
    [path, from === undefined ? to : `${from} → ${to}`].filter(Boolean).join(' '),
  );
  return [subject, ...words, more > 0 ? `${more} more` : ''].filter(Boolean).join(' · ');
}
