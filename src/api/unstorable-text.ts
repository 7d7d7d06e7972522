/**
 * Refuses text that the store cannot hold, before it reaches a resolver or a planned statement. An id or
 * key with such text is not found, like any other unknown one; any other text is refused. A mutation
 * returns InvalidInput, any other field throws an error of the same code.
 */
import {
  GraphQLError,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNullableType,
  isInputObjectType,
  isListType,
  isObjectType,
} from 'graphql';
import type { InputIssue } from '../store/input/save-result.ts';
import { isStorable, storable } from '../store/input/text.ts';
import { invalidInput } from './result/user-errors.ts';

/** Levels of lists and objects in a JSON value; PostgreSQL has a limit too. */
const maxJsonDepth = 64;
const maxIssues = 20;

/** The value with its references made storable; adds what is wrong with the rest to `issues`. */
type Check = (value: unknown, path: string, issues: InputIssue[]) => unknown;

/** The checks of types; null: their values have no text, or are of a scalar that checks itself. */
type Checks = Map<GraphQLInputType, Check | null>;

type Args = Readonly<Record<string, unknown>>;

/** Makes every field check its arguments, in its resolver and in the plan of a statement. */
export function checkTexts(schema: GraphQLSchema): void {
  const checks: Checks = new Map();
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    const isMutation = type === schema.getMutationType();
    for (const field of Object.values((type as GraphQLObjectType).getFields())) {
      const checked = field.args.flatMap(({ name, type }) => {
        const check = checkOf(type, checks);
        return check ? [{ name, check }] : [];
      });
      if (checked.length === 0) continue;
      guard(field, isMutation, (args, issues) => {
        let cleaned = args;
        for (const { name, check } of checked) {
          const value = check(args[name], isMutation ? '' : name, issues);
          if (value !== args[name]) cleaned = { ...cleaned, [name]: value };
        }
        return cleaned;
      });
    }
  }
}

type Clean = (args: Args, issues: InputIssue[]) => Args;

/** Lets what uses the arguments of a field have them checked. */
function guard(field: GraphQLField<unknown, unknown>, isMutation: boolean, clean: Clean): void {
  const { resolve, subscribe, extensions } = field;
  const cleaned = (args: Args): Args => {
    const issues: InputIssue[] = [];
    const usable = clean(args, issues);
    if (issues.length === 0) return usable;
    const { code, message } = invalidInput(issues);
    throw new GraphQLError(message, { extensions: { code, issues } });
  };
  if (subscribe) {
    field.subscribe = (root, args, context, info) => subscribe(root, cleaned(args), context, info);
  } else if (resolve && isMutation) {
    field.resolve = (root, args, context, info) => {
      const issues: InputIssue[] = [];
      const usable = clean(args, issues);
      return issues.length > 0 ? invalidInput(issues) : resolve(root, usable, context, info);
    };
  } else if (resolve) {
    field.resolve = (root, args, context, info) => resolve(root, cleaned(args), context, info);
  }
  const { pothosDrizzleSelect: select } = extensions;
  if (typeof select === 'function') {
    const guarded = (args: Args, ...rest: unknown[]) => select(cleaned(args), ...rest);
    field.extensions = { ...extensions, pothosDrizzleSelect: guarded };
  }
}

function checkOf(given: GraphQLInputType, checks: Checks): Check | null {
  const type = getNullableType(given);
  const known = checks.get(type);
  if (known !== undefined) return known;
  // A type within itself: its check exists by the time that a value is checked.
  checks.set(type, (...value) => checks.get(type)?.(...value));
  const check = newCheck(type, checks);
  checks.set(type, check);
  return check;
}

function newCheck(type: GraphQLInputType, checks: Checks): Check | null {
  if (isListType(type)) return ofItems(checkOf(type.ofType, checks));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).flatMap((field) => {
      const isReference = field.extensions.isReference === true;
      const check = isReference ? ofItems(checkReference) : checkOf(field.type, checks);
      return check ? [{ name: field.name, check }] : [];
    });
    return fields.length === 0 ? null : ofFields(fields);
  }
  const { name } = type as { name: string };
  if (name === 'ID') return checkReference;
  if (name === 'String') return checkText;
  return name === 'JSON' ? (value, path, issues) => checkJson(value, path, issues) : null;
}

const checkReference: Check = (value) => (typeof value === 'string' ? storable(value) : value);

const checkText: Check = (value, path, issues) => {
  if (typeof value === 'string' && !isStorable(value))
    add(issues, path, 'A text cannot have the character U+0000 or half a pair of surrogates.');
  return value;
};

const ofItems = (check: Check | null): Check | null =>
  check &&
  ((values, path, issues) => {
    if (!Array.isArray(values)) return values;
    const cleaned = values.map((value, index) => check(value, below(path, String(index)), issues));
    return cleaned.some((value, index) => value !== values[index]) ? cleaned : values;
  });

const ofFields =
  (fields: readonly { name: string; check: Check }[]): Check =>
  (given, path, issues) => {
    if (typeof given !== 'object' || given === null) return given;
    let cleaned = given as Args;
    for (const { name, check } of fields) {
      const before = (given as Args)[name];
      if (before == null) continue;
      const value = check(before, below(path, name), issues);
      if (value !== before) cleaned = { ...cleaned, [name]: value };
    }
    return cleaned;
  };

function checkJson(value: unknown, path: string, issues: InputIssue[], depth = 0): unknown {
  checkText(value, path, issues);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= maxJsonDepth) {
    add(issues, path, `JSON is taken up to ${maxJsonDepth} levels deep.`);
    return value;
  }
  for (const [name, inner] of Object.entries(value)) {
    const at = below(path, storable(name));
    checkText(name, at, issues);
    checkJson(inner, at, issues, depth + 1);
  }
  return value;
}

function add(issues: InputIssue[], path: string, message: string): void {
  if (issues.length < maxIssues) issues.push({ path, message });
}

const below = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);
