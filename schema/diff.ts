/**
 * `npm run schema:diff`: what has changed in the contract since a base revision. Prints every change and
 * exits 1 on a breaking one, unless a line of CHANGELOG.md under "Unreleased" that begins with
 * `breaking:` names it by its coordinate (`Instance.host`, `InstanceState.PAUSED`, …).
 *
 * The base is SCHEMA_BASE, else the last released tag (`v*`), else HEAD where the schema has uncommitted
 * changes, else HEAD~1. A base without a schema has nothing to break.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  BreakingChangeType,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
} from 'graphql';
import { loadSchemaSdl, mergeSdl } from './load.ts';

export interface SchemaChange {
  readonly severity: 'BREAKING' | 'DANGEROUS' | 'SAFE';
  /** Schema coordinate: `Type`, `Type.field`, `Type.field(argument:)`. */
  readonly coordinate: string;
  readonly description: string;
}

/** Every change from `before` to `after`, the breaking ones first. */
export function compareSchemas(before: GraphQLSchema, after: GraphQLSchema): SchemaChange[] {
  const named = (severity: SchemaChange['severity']) => (change: { description: string }) => ({
    severity,
    coordinate: coordinateOf(change.description),
    description: change.description,
  });
  const additions = findBreakingChanges(after, before)
    .filter(
      ({ type }) =>
        type === BreakingChangeType.TYPE_REMOVED || type === BreakingChangeType.FIELD_REMOVED,
    )
    .map(({ description }) => ({ description: description.replace('was removed', 'was added') }));
  return [
    ...findBreakingChanges(before, after).map(named('BREAKING')),
    ...oneOfChanges(before, after),
    ...findDangerousChanges(before, after).map(named('DANGEROUS')),
    ...additions.map(named('SAFE')),
    ...descriptionChanges(before, after),
  ];
}

/** Every element that must carry a description, by coordinate, with the one it has. */
export function describedElements(schema: GraphQLSchema): Map<string, string | null> {
  const elements = new Map<string, string | null>();
  const add = (coordinate: string, element: { description?: string | null }) =>
    elements.set(coordinate, element.description?.trim() || null);
  add('schema', schema);
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    add(type.name, type);
    if (isEnumType(type)) {
      for (const value of type.getValues()) add(`${type.name}.${value.name}`, value);
    } else if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) add(`${type.name}.${field.name}`, field);
    } else if (isObjectType(type) || isInterfaceType(type)) {
      for (const field of Object.values(type.getFields())) {
        add(`${type.name}.${field.name}`, field);
        for (const arg of field.args) add(`${type.name}.${field.name}(${arg.name}:)`, arg);
      }
    }
  }
  return elements;
}

/** The breaking changes that no `breaking:` line under "Unreleased" names. */
export function unannounced(changes: readonly SchemaChange[], changelog: string): SchemaChange[] {
  const unreleased = /^##\s*\[?unreleased\]?[^\n]*\n(.*?)(?=^##\s|$(?![\s\S]))/ims.exec(changelog);
  const announced = (unreleased?.[1] ?? '')
    .split('\n')
    .filter((line) => /^\s*[-*]?\s*breaking:/i.test(line))
    .flatMap((line) => line.match(/[A-Za-z_]\w*(?:\.\w+)?(?:\(\w+:\))?/g) ?? []);
  return changes.filter(
    ({ severity, coordinate }) => severity === 'BREAKING' && !announced.includes(coordinate),
  );
}

/** graphql-js gives sentences; this finds the element that each is about. */
function coordinateOf(description: string): string {
  const forms: [RegExp, string][] = [
    [/^(\w+) was (?:removed|added) (?:from|to) (?:union|enum) type (\w+)/, '$2.$1'],
    [/^An? (?:required|optional) field (\w+) on input type (\w+)/, '$2.$1'],
    [/^An? (?:required|optional) arg (\w+) on (\w+\.\w+)/, '$2($1:)'],
    [/^(\w+\.\w+) arg (\w+)/, '$1($2:)'],
    [/^(\w+) added to interfaces implemented by (\w+)/, '$2'],
    [/^(\w+(?:\.\w+)?)/, '$1'],
  ];
  for (const [form, coordinate] of forms) {
    const match = form.exec(description);
    if (match) return match[0].replace(form, coordinate);
  }
  return description;
}

/** graphql-js does not compare `@oneOf`: either way some input that was valid no longer is. */
function oneOfChanges(before: GraphQLSchema, after: GraphQLSchema): SchemaChange[] {
  return Object.values(before.getTypeMap()).flatMap((old) => {
    const type = after.getType(old.name);
    if (!isInputObjectType(old) || !isInputObjectType(type)) return [];
    if (old.isOneOf === type.isOneOf) return [];
    const description = `${type.name} ${type.isOneOf ? 'became' : 'is no longer'} @oneOf.`;
    return [{ severity: 'BREAKING' as const, coordinate: type.name, description }];
  });
}

function descriptionChanges(before: GraphQLSchema, after: GraphQLSchema): SchemaChange[] {
  const old = describedElements(before);
  return [...describedElements(after)]
    .filter(([coordinate, text]) => old.has(coordinate) && old.get(coordinate) !== text)
    .map(([coordinate]) => ({
      severity: 'SAFE',
      coordinate,
      description: `${coordinate} is described anew.`,
    }));
}

function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

function baseRevision(): string {
  if (process.env.SCHEMA_BASE) return process.env.SCHEMA_BASE;
  const tag = git('describe', '--tags', '--abbrev=0', '--match', 'v*');
  if (tag) return tag;
  return git('status', '--porcelain', '--', 'schema/*.graphql') ? 'HEAD' : 'HEAD~1';
}

/** The contract at a revision; null where that has none. */
function schemaAt(revision: string): GraphQLSchema | null {
  const files = (git('ls-tree', '--name-only', revision, 'schema/') ?? '')
    .split('\n')
    .filter((file) => file.endsWith('.graphql'))
    .map((file) => git('show', `${revision}:${file}`) ?? '');
  if (files.length === 0) return null;
  try {
    return mergeSdl(files).schema;
  } catch (error) {
    const [first] = (error as Error).message.split('\n');
    console.log(`The schema of ${revision} is not whole: ${first}`);
    return null;
  }
}

function main(): number {
  const revision = baseRevision();
  if (process.env.SCHEMA_BASE && git('rev-parse', '--verify', `${revision}^{commit}`) === null) {
    console.error(`SCHEMA_BASE: "${revision}" is no revision of this repository.`);
    return 2;
  }
  const before = schemaAt(revision);
  if (!before) {
    console.log(`${revision} has no whole schema to compare with: nothing can break.`);
    return 0;
  }
  const changes = compareSchemas(before, loadSchemaSdl().schema);
  if (changes.length === 0) {
    console.log(`The schema is that of ${revision}.`);
    return 0;
  }
  const changelog = fileURLToPath(new URL('../CHANGELOG.md', import.meta.url));
  const left = unannounced(changes, existsSync(changelog) ? readFileSync(changelog, 'utf8') : '');
  const lines = changes.map((it) => `  ${it.severity.padEnd(9)}  ${it.description}`);
  console.log([`Changes of the schema since ${revision}:`, ...lines].join('\n'));
  if (left.length === 0) return 0;
  console.error('Breaking, and not announced. Undo them, or add to "Unreleased" in CHANGELOG.md:');
  for (const { coordinate } of left) console.error(`  - breaking: ${coordinate} …`);
  return 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main();
