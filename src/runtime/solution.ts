/**
 * Loads a solution version with the settings of an instance. The result is the compiled solution, or
 * a list of all faults.
 */
import type { ErrorObject } from 'ajv/dist/2020.js';
import { validateShape } from '../../schema/solution-shape.ts';
import type { FieldValue } from './fields.ts';
import { type CompiledField, compileField, type Fault, type Field } from './fields.ts';

/** The access rules of a listener or a command. */
export interface Guard {
  /** The key that a request must carry; null: none. */
  readonly key: string | null;
  readonly allowedOrigins: readonly string[];
}

/** A listener with the messages that it accepts. */
export type MessageListener = HttpListener | MqttListener;

interface AnyListener {
  readonly name: string;
  readonly port: number;
  readonly guard: Guard;
  readonly messages: ReadonlyMap<string, ReadonlyMap<string, CompiledField>>;
}

export interface HttpListener extends AnyListener {
  readonly protocol: 'http';
  readonly path: string;
}

export interface MqttListener extends AnyListener {
  readonly protocol: 'mqtt';
  /** The pattern of its topics. */
  readonly topic: string;
}

/** The kinds of answers to an input command. */
export type CommandAnswer =
  | { readonly kind: 'STATUS' | 'ECHO' }
  | { readonly kind: 'DEVICE_VALUES'; readonly parameter: string }
  | { readonly kind: 'SETTING'; readonly setting: string };

/** An input command, compiled. */
export interface InputCommand {
  readonly method: 'GET' | 'POST';
  readonly parameters: ReadonlyMap<string, CompiledField>;
  readonly guard: Guard;
  readonly answer: CommandAnswer;
}

/** A solution version that can run. */
export interface LoadedSolution {
  readonly key: string;
  readonly version: string;
  readonly listeners: readonly MessageListener[];
  readonly inputCommandPort: number;
  readonly inputCommands: ReadonlyMap<string, InputCommand>;
  /** What input commands may answer with: no secret. */
  readonly shownSettings: ReadonlyMap<string, FieldValue>;
}

/** The input of LOAD_SOLUTION. */
export interface SolutionSource {
  readonly key: string;
  readonly version: string;
  readonly definition: unknown;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Settings that are secrets although the definition may not say so. */
  readonly secretSettings: readonly string[];
  /** The version of this runtime, compared with `runtime.minimumVersion`. */
  readonly runtimeVersion: string;
}

interface GuardedPart {
  readonly auth: 'KEY' | 'NONE';
  readonly keySetting: string;
  readonly allowedOrigins: readonly string[];
}

interface Document {
  readonly runtime?: { readonly minimumVersion?: string };
  readonly settings: Record<string, Field & { default?: FieldValue; secret: boolean }>;
  readonly listeners: Record<
    string,
    GuardedPart & { protocol: 'http' | 'mqtt'; port: number; path: string; topic: string }
  >;
  readonly messages: Record<string, { listener?: string; fields: Record<string, Field> }>;
  readonly inputCommandListener: { readonly port: number };
  readonly inputCommands: Record<
    string,
    GuardedPart & {
      readonly method: 'GET' | 'POST';
      readonly parameters: Record<string, Field>;
      readonly answer: CommandAnswer;
    }
  >;
}

type Load = { readonly solution: LoadedSolution } | { readonly faults: readonly Fault[] };

/** Compiles a solution version with its settings, or lists every fault of both. */
export function loadSolution(source: SolutionSource): Load {
  const document = structuredClone(source.definition) as Document;
  if (!validateShape(document)) return { faults: shapeFaults(validateShape.errors ?? []) };
  const faults: Fault[] = [];
  const minimum = document.runtime?.minimumVersion;
  if (minimum !== undefined && isOlder(source.runtimeVersion, minimum)) {
    const message = `asks for ${minimum}, this runtime is ${source.runtimeVersion}; use a newer one`;
    faults.push({ path: 'runtime.minimumVersion', message });
  }
  const loader = { document, faults, settings: loadSettings(document, source.settings, faults) };
  const messages = loadMessages(loader);
  const listeners = Object.entries(document.listeners).map(([name, part]) => ({
    name,
    port: part.port,
    ...(part.protocol === 'mqtt'
      ? { protocol: part.protocol, topic: part.topic }
      : { protocol: part.protocol, path: part.path }),
    guard: loadGuard(loader, `listeners.${name}`, part),
    messages: new Map(
      messages
        .filter(({ listener }) => listener === undefined || listener === name)
        .map(({ type, fields }) => [type, fields]),
    ),
  }));
  const inputCommands = loadInputCommands(loader);
  if (faults.length > 0) return { faults };
  return {
    solution: {
      key: source.key,
      version: source.version,
      listeners,
      inputCommandPort: document.inputCommandListener.port,
      inputCommands,
      shownSettings: new Map(
        [...loader.settings].filter(([name]) => !source.secretSettings.includes(name)),
      ),
    },
  };
}

interface Loader {
  readonly document: Document;
  readonly faults: Fault[];
  readonly settings: ReadonlyMap<string, FieldValue>;
}

function shapeFaults(errors: readonly ErrorObject[]): Fault[] {
  const faults = new Map<string, Fault>();
  for (const { keyword, instancePath, params, message, propertyName } of errors) {
    if (keyword === 'if' || propertyName !== undefined) continue;
    const inside: unknown =
      params.additionalProperty ?? params.missingProperty ?? params.propertyName;
    const parts = instancePath.split('/').slice(1);
    const path = [...parts, ...(inside === undefined ? [] : [String(inside)])].join('.');
    const text = keyword === 'required' ? 'is missing' : (message ?? 'is not allowed');
    faults.set(`${path} ${text}`, { path, message: text });
  }
  return [...faults.values()];
}

function loadSettings(
  document: Document,
  given: Readonly<Record<string, unknown>>,
  faults: Fault[],
): Map<string, FieldValue> {
  const settings = new Map<string, FieldValue>();
  for (const [name, setting] of Object.entries(document.settings)) {
    const field = loadField(faults, `settings.${name}`, setting);
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    const value = own === undefined ? setting.default : own;
    const path = own === undefined ? `settings.${name}.default` : `settings.${name}`;
    if (value === undefined) {
      if (setting.required) faults.push({ path: `settings.${name}`, message: 'is missing' });
      continue;
    }
    const message = field?.check(value);
    if (message === undefined) settings.set(name, value as FieldValue);
    else faults.push({ path, message });
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(document.settings, name)) continue;
    faults.push({ path: `settings.${name}`, message: 'is not declared' });
  }
  return settings;
}

function loadMessages({ document, faults }: Loader) {
  return Object.entries(document.messages).map(([type, { listener, fields }]) => {
    const path = `messages.${type}`;
    if (listener !== undefined && !Object.hasOwn(document.listeners, listener)) {
      faults.push({ path: `${path}.listener`, message: 'names no listener' });
    } else if (Object.keys(document.listeners).length === 0) {
      faults.push({ path: `${path}.listener`, message: 'no listener takes it' });
    }
    return { type, listener, fields: loadFields(faults, `${path}.fields`, fields) };
  });
}

function loadInputCommands(loader: Loader): Map<string, InputCommand> {
  const { document, faults } = loader;
  const commands = new Map<string, InputCommand>();
  for (const [name, part] of Object.entries(document.inputCommands)) {
    const path = `inputCommands.${name}`;
    const { method, answer } = part;
    const parameters = loadFields(faults, `${path}.parameters`, part.parameters);
    if (answer.kind === 'DEVICE_VALUES') {
      const parameter = parameters.get(answer.parameter);
      if (parameter?.type !== 'STRING' || !parameter.required) {
        const message = 'names no required STRING parameter';
        faults.push({ path: `${path}.answer.parameter`, message });
      }
    }
    if (answer.kind === 'SETTING') {
      const declared = new Map(Object.entries(document.settings)).get(answer.setting);
      if (declared === undefined || declared.secret) {
        const message = 'names no declared setting without secret';
        faults.push({ path: `${path}.answer.setting`, message });
      }
    }
    commands.set(name, { method, parameters, guard: loadGuard(loader, path, part), answer });
  }
  return commands;
}

function loadFields(faults: Fault[], path: string, fields: Record<string, Field>) {
  const compiled = new Map<string, CompiledField>();
  for (const [name, field] of Object.entries(fields)) {
    const one = loadField(faults, `${path}.${name}`, field);
    if (one !== undefined) compiled.set(name, one);
  }
  return compiled;
}

function loadField(faults: Fault[], path: string, field: Field): CompiledField | undefined {
  try {
    return compileField(field);
  } catch (error) {
    const message = `is no regular expression: ${(error as Error).message}`;
    faults.push({ path: `${path}.pattern`, message });
    return undefined;
  }
}

function loadGuard({ document, faults, settings }: Loader, path: string, part: GuardedPart): Guard {
  const { allowedOrigins } = part;
  if (part.auth === 'NONE') return { key: null, allowedOrigins };
  const setting = new Map(Object.entries(document.settings)).get(part.keySetting);
  if (setting?.type !== 'STRING' || !setting.secret) {
    const message = `needs the setting ${part.keySetting} declared as a secret STRING`;
    faults.push({ path: `${path}.keySetting`, message });
    return { key: '', allowedOrigins };
  }
  const key = settings.get(part.keySetting);
  // A missing or faulty setting was reported before; an empty key would admit everyone.
  if (typeof key !== 'string') return { key: '', allowedOrigins };
  if (!/^[\x21-\x7e]+$/.test(key)) {
    const message = 'is a key: one or more visible ASCII characters, no spaces';
    faults.push({ path: `settings.${part.keySetting}`, message });
  }
  return { key, allowedOrigins };
}

function isOlder(version: string, minimum: string): boolean {
  const wanted = minimum.split('.').map(Number);
  const numbers = version.split(/[.+-]/, 3).map(Number);
  const differing = wanted.findIndex((part, index) => part !== numbers[index]);
  return differing !== -1 && (numbers[differing] ?? 0) < (wanted[differing] ?? 0);
}
