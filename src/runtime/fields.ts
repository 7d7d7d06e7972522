/** Fields of messages and input commands, and settings: the checks of their values. */
import vm from 'node:vm';

export type FieldValue = string | number | boolean;

/** A field as the solution declares it. */
export interface Field {
  readonly type: 'STRING' | 'NUMBER' | 'INTEGER' | 'BOOLEAN';
  readonly required: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

/** A fault, with the path of the faulty value. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** Checks a value. Returns the fault without the value itself; undefined if there is none. */
export type ValueCheck = (value: unknown) => string | undefined;

/** A compiled field. */
export interface CompiledField {
  readonly type: Field['type'];
  readonly required: boolean;
  readonly check: ValueCheck;
}

const patternMilliseconds = 50;
const patternInputLength = 256;
const plainInputLength = 1000;
/** Created with the first pattern that is matched. */
let matching: { readonly sandbox: vm.Context; readonly script: vm.Script } | undefined;
const jsonNumber = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

/** Compiles a field. Throws a `SyntaxError` if its pattern is invalid. */
export function compileField(field: Field): CompiledField {
  const pattern = field.pattern === undefined ? undefined : new RegExp(field.pattern, 'u');
  return { type: field.type, required: field.required, check: valueCheck(field, pattern) };
}

/** Checks an object of values; `given` may also contain the names in `others`. */
export function checkValues(
  fields: ReadonlyMap<string, CompiledField>,
  given: Readonly<Record<string, unknown>>,
  others: readonly string[] = [],
): { values: Map<string, FieldValue>; faults: Fault[] } {
  const values = new Map<string, FieldValue>();
  const faults: Fault[] = [];
  for (const [name, field] of fields) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (field.required) faults.push({ path: name, message: 'is missing' });
      continue;
    }
    const message = field.check(value);
    if (message === undefined) values.set(name, value as FieldValue);
    else faults.push({ path: name, message });
  }
  for (const name of Object.keys(given)) {
    if (fields.has(name) || others.includes(name)) continue;
    faults.push({ path: name.slice(0, 64), message: `is unknown; known: ${list(fields.keys())}` });
  }
  return { values, faults };
}

/** Reads a query as an object of values: text is converted to the type of its field. */
export function valuesOfQuery(
  fields: ReadonlyMap<string, CompiledField>,
  query: URLSearchParams,
): { given: Record<string, unknown>; faults: Fault[] } {
  const given = new Map<string, unknown>();
  const faults: Fault[] = [];
  for (const [name, text] of query) {
    if (given.has(name)) faults.push({ path: name.slice(0, 64), message: 'is given twice' });
    const type = fields.get(name)?.type;
    let value: unknown = text;
    if (type === 'BOOLEAN' && (text === 'true' || text === 'false')) value = text === 'true';
    if ((type === 'NUMBER' || type === 'INTEGER') && jsonNumber.test(text)) value = Number(text);
    given.set(name, value);
  }
  return { given: Object.fromEntries(given), faults };
}

/** Faults as one readable line. */
export function faultText(faults: readonly Fault[]): string {
  return faults
    .map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
    .join('; ');
}

function list(names: Iterable<string>): string {
  const known = [...names];
  return known.length === 0 ? 'none' : known.join(', ');
}

function valueCheck(field: Field, pattern: RegExp | undefined): ValueCheck {
  switch (field.type) {
    case 'BOOLEAN':
      return (value) => (typeof value === 'boolean' ? undefined : 'must be a boolean');
    case 'NUMBER':
    case 'INTEGER':
      return (value) => numberFault(field, value);
    case 'STRING':
      return (value) => stringFault(field, pattern, value);
    default:
      return field.type satisfies never;
  }
}

function numberFault(field: Field, value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number';
  if (field.type === 'INTEGER' && !Number.isSafeInteger(value)) return 'must be an integer';
  if (field.minimum !== undefined && value < field.minimum) return `must be >= ${field.minimum}`;
  if (field.maximum !== undefined && value > field.maximum) return `must be <= ${field.maximum}`;
  return undefined;
}

function stringFault(field: Field, pattern: RegExp | undefined, value: unknown) {
  if (typeof value !== 'string') return 'must be a string';
  // PostgreSQL can store neither.
  if (/[\0\p{Surrogate}]/u.test(value)) return 'must be text without the character 0';
  const length = pattern === undefined ? plainInputLength : patternInputLength;
  const maxLength = field.maxLength ?? length;
  if (value.length > maxLength) return `must have ${maxLength} characters at most`;
  return pattern === undefined ? undefined : mismatch(pattern, value);
}

/**
 * Matches in a context that can be interrupted, because a pattern may take exponential time. The limit is one
 * of processor time: on a busy machine a short match may be interrupted before it has had any.
 */
function mismatch(pattern: RegExp, text: string): string | undefined {
  matching ??= {
    sandbox: vm.createContext(Object.create(null)),
    script: new vm.Script('pattern.test(text)'),
  };
  const { sandbox, script } = matching;
  Object.assign(sandbox, { pattern, text });
  const before = process.cpuUsage();
  do {
    try {
      const matches = script.runInContext(sandbox, { timeout: patternMilliseconds }) === true;
      return matches ? undefined : `must match ${pattern.source}`;
    } catch {
      // Interrupted.
    }
  } while (millisecondsOf(process.cpuUsage(before)) < patternMilliseconds);
  return `could not be matched against ${pattern.source} within ${patternMilliseconds} ms of processor time`;
}

const millisecondsOf = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000;
