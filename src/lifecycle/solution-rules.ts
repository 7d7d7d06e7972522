/**
 * What a solution document must be before it is published, and what an instance's settings must be
 * before they are stored. Pure: the same input gives the same faults, all of them at once. The
 * shape is `schema/solution.schema.json`; what a schema cannot say is checked here. The console checks by
 * the same rules, so nothing here needs Node.
 */
import type { ErrorObject } from 'ajv/dist/2020.js';
import { knownNames, validateShape } from '../../schema/solution-shape.ts';

/** One fault of a document, with the path of the part at fault (`listeners.http.port`). */
export interface SolutionFault {
  readonly path: string;
  readonly message: string;
}

interface Field {
  readonly type: 'STRING' | 'NUMBER' | 'INTEGER' | 'BOOLEAN';
  readonly required: boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

interface Setting extends Field {
  readonly default?: unknown;
  readonly secret: boolean;
}

interface Guarded {
  readonly auth: 'KEY' | 'NONE';
  readonly keySetting: string;
}

interface Definition {
  readonly settings: Record<string, Setting>;
  readonly listeners: Record<string, Guarded & { readonly port: number }>;
  readonly messages: Record<string, { listener?: string; fields: Record<string, Field> }>;
  readonly inputCommandListener: { readonly port: number };
  readonly inputCommands: Record<
    string,
    Guarded & {
      readonly parameters: Record<string, Field>;
      readonly answer: { kind: string; parameter?: string; setting?: string };
    }
  >;
}

const patternInputLength = 256;
const plainInputLength = 1000;

/**
 * What is wrong with a text by the pattern that it must match; undefined: nothing. A pattern may take exponential
 * time, so who checks decides how it is matched.
 */
export type Mismatch = (pattern: string, text: string) => string | undefined;

/**
 * Every fault of a solution document, in the order of the document's parts; none means that it may
 * be published.
 */
export function solutionFaults(definition: unknown, mismatch: Mismatch): SolutionFault[] {
  const { document, faults } = read(definition);
  return document ? semanticFaults(document, mismatch) : faults;
}

/**
 * Every fault of an instance's settings against what a checked document declares. A value is never
 * repeated in a message: it may be a secret.
 */
export function settingFaults(
  definition: unknown,
  settings: unknown,
  mismatch: Mismatch,
): SolutionFault[] {
  const { document, faults } = read(definition);
  if (document === undefined) return faults;
  const given = settings ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) {
    return [{ path: '', message: 'settings are an object: name to value' }];
  }
  const values = new Map<string, unknown>(Object.entries(given));
  const keys = keySettings(document);
  const found: SolutionFault[] = [];
  for (const name of values.keys()) {
    if (Object.hasOwn(document.settings, name)) continue;
    found.push({
      path: name,
      message: `is not declared; ${known(Object.keys(document.settings))}`,
    });
  }
  for (const [name, setting] of Object.entries(document.settings)) {
    const value = values.get(name);
    if (value === undefined) {
      if (setting.required && setting.default === undefined) {
        found.push({ path: name, message: 'is missing; the solution requires it' });
      }
      continue;
    }
    const fault =
      valueFault(setting, value, mismatch) ?? (keys.has(name) ? keyFault(value) : undefined);
    if (fault !== undefined) found.push({ path: name, message: fault });
  }
  return found;
}

/** The document with its defaults; as it is where its shape is at fault. */
export const withDefaults = (definition: unknown): unknown =>
  read(definition).document ?? definition;

/** The settings that a checked document declares as secrets. */
export function secretSettings(definition: Record<string, unknown> | null | undefined): string[] {
  const declared = (definition?.settings ?? {}) as Record<string, { secret?: boolean }>;
  return Object.entries(declared).flatMap(([name, { secret }]) => (secret ? [name] : []));
}

function read(definition: unknown): { document?: Definition; faults: SolutionFault[] } {
  const document: unknown = structuredClone(definition);
  if (validateShape(document)) return { document: document as Definition, faults: [] };
  const faults = new Map<string, SolutionFault>();
  for (const error of validateShape.errors ?? []) {
    const fault = readable(error);
    if (fault !== undefined) faults.set(`${fault.path}\n${fault.message}`, fault);
  }
  return { faults: [...faults.values()] };
}

function readable(error: ErrorObject): SolutionFault | undefined {
  // A bad name is reported once, by `propertyNames`; `if` only repeats what its branch said.
  if (error.keyword === 'if' || error.propertyName !== undefined) return undefined;
  const parts = error.instancePath.split('/').slice(1).map(unescapePointer);
  const at = (...more: string[]) => [...parts, ...more].join('.');
  const parameters = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties': {
      const names = namesAt(error.instancePath);
      return {
        path: at(String(parameters.additionalProperty)),
        message: `is unknown here; ${known(names)}`,
      };
    }
    case 'propertyNames':
      return {
        path: at(String(parameters.propertyName)),
        message:
          'is no possible name: a letter, then letters, digits, _ or -; 63 at most; not taken',
      };
    case 'required':
      return { path: at(String(parameters.missingProperty)), message: 'is missing' };
    case 'enum':
      return {
        path: at(),
        message: `must be one of ${(parameters.allowedValues as unknown[]).join(', ')}`,
      };
    case 'type':
      return { path: at(), message: `must be of type ${String(parameters.type)}` };
    case 'false schema':
      return {
        path: at(),
        message: 'does not apply to this protocol, kind, type or auth; remove it',
      };
    default:
      return { path: at(), message: error.message ?? 'is not allowed' };
  }
}

/** The names that are known at a place of the document. */
function namesAt(pointer: string): readonly string[] {
  const found = Object.entries(knownNames).find(([place]) =>
    new RegExp(`^${place}$`).test(pointer),
  );
  return found?.[1] ?? [];
}

function unescapePointer(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

function known(names: readonly string[]): string {
  return names.length === 0 ? 'none is declared' : `known: ${names.join(', ')}`;
}

function semanticFaults(document: Definition, mismatch: Mismatch): SolutionFault[] {
  const faults: SolutionFault[] = [];
  const add = (path: string, message: string | undefined) => {
    if (message !== undefined) faults.push({ path, message });
  };
  for (const [name, setting] of Object.entries(document.settings)) {
    const broken = addFieldFaults(add, `settings.${name}`, setting);
    if (setting.default === undefined || broken) continue;
    add(`settings.${name}.default`, valueFault(setting, setting.default, mismatch));
  }
  for (const [name, part] of Object.entries(document.listeners)) {
    add(`listeners.${name}.keySetting`, guardFault(document, part));
  }
  for (const [type, message] of Object.entries(document.messages)) {
    add(`messages.${type}.listener`, listenerFault(document, message.listener));
    for (const [name, field] of Object.entries(message.fields)) {
      addFieldFaults(add, `messages.${type}.fields.${name}`, field);
    }
  }
  for (const [name, command] of Object.entries(document.inputCommands)) {
    const path = `inputCommands.${name}`;
    add(`${path}.keySetting`, guardFault(document, command));
    for (const [parameter, field] of Object.entries(command.parameters)) {
      addFieldFaults(add, `${path}.parameters.${parameter}`, field);
    }
    const { parameter, setting } = command.answer;
    if (parameter !== undefined) {
      const field = own(command.parameters, parameter);
      const fits = field?.type === 'STRING' && field.required;
      add(`${path}.answer.parameter`, fits ? undefined : 'names no required STRING parameter');
    }
    if (setting !== undefined) {
      const declared = own(document.settings, setting);
      const fits = declared?.secret === false;
      add(`${path}.answer.setting`, fits ? undefined : 'names no declared setting without secret');
    }
  }
  addPortFaults(add, document);
  return faults;
}

type Add = (path: string, message: string | undefined) => void;

/** Whether the field itself is at fault, so that no value can be checked against it. */
function addFieldFaults(add: Add, path: string, field: Field): boolean {
  const pattern = field.pattern === undefined ? undefined : patternFault(field.pattern);
  add(`${path}.pattern`, pattern);
  const empty = (field.minimum ?? -Infinity) > (field.maximum ?? Infinity);
  add(`${path}.minimum`, empty ? 'is greater than maximum: no value fits' : undefined);
  return pattern !== undefined || empty;
}

function addPortFaults(add: Add, document: Definition): void {
  const owners = new Map<number, string>();
  const ports = Object.entries(document.listeners).map(([name, { port }]) => ({
    path: `listeners.${name}.port`,
    port,
  }));
  const commandPort = document.inputCommandListener.port;
  for (const { path, port } of [
    ...ports,
    { path: 'inputCommandListener.port', port: commandPort },
  ]) {
    if (port === 0) continue;
    const owner = owners.get(port);
    add(path, owner === undefined ? undefined : `is the port of ${owner} too; take another or 0`);
    owners.set(port, path);
  }
}

function listenerFault(document: Definition, listener: string | undefined): string | undefined {
  if (listener === undefined) {
    return Object.keys(document.listeners).length > 0 ? undefined : 'no listener takes it';
  }
  if (Object.hasOwn(document.listeners, listener)) return undefined;
  return `names no listener; ${known(Object.keys(document.listeners))}`;
}

function guardFault(document: Definition, guarded: Guarded): string | undefined {
  if (guarded.auth === 'NONE') return undefined;
  const setting = own(document.settings, guarded.keySetting);
  if (setting?.type === 'STRING' && setting.secret && setting.required) return undefined;
  const wanted = '{ "type": "STRING", "secret": true }';
  return `needs the setting ${guarded.keySetting} declared as ${wanted}; or auth NONE`;
}

function keySettings(document: Definition): Set<string> {
  const guarded = [
    ...Object.values(document.listeners),
    ...Object.values(document.inputCommands),
  ].filter(({ auth }) => auth === 'KEY');
  return new Set(guarded.map(({ keySetting }) => keySetting));
}

function keyFault(value: unknown): string | undefined {
  // A header carries nothing else.
  const carried = typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
  return carried ? undefined : 'is a key: one or more visible ASCII characters, no spaces';
}

function valueFault(field: Field, value: unknown, mismatch: Mismatch): string | undefined {
  if (field.type === 'BOOLEAN') return typeof value === 'boolean' ? undefined : 'must be a boolean';
  if (field.type !== 'STRING') return numberFault(field, value);
  if (typeof value !== 'string') return 'must be a string';
  if (/[\0\p{Surrogate}]/u.test(value)) return 'must be text without the character 0';
  const length = field.pattern === undefined ? plainInputLength : patternInputLength;
  const maxLength = field.maxLength ?? length;
  if (value.length > maxLength) return `must have ${maxLength} characters at most`;
  return field.pattern === undefined ? undefined : mismatch(field.pattern, value);
}

function numberFault(field: Field, value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number';
  if (field.type === 'INTEGER' && !Number.isSafeInteger(value)) return 'must be an integer';
  if (field.minimum !== undefined && value < field.minimum) return `must be >= ${field.minimum}`;
  if (field.maximum !== undefined && value > field.maximum) return `must be <= ${field.maximum}`;
  return undefined;
}

function patternFault(pattern: string): string | undefined {
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    return `is no regular expression: ${(error as Error).message}`;
  }
  return undefined;
}

function own<T>(record: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
