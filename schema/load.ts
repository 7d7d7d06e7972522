import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, type GraphQLSchema } from 'graphql';

/** The folder with the SDL; `operations/` below it has the examples. */
export const schemaDirectory = fileURLToPath(new URL('.', import.meta.url));

export interface SchemaSdl {
  /** All files one behind the other, in the order of their names. */
  readonly sdl: string;
  /** The contract: types and descriptions, no resolvers. */
  readonly schema: GraphQLSchema;
}

export interface ExampleOperation {
  /** Name of the file without number and ending: `watch-instance`. */
  readonly name: string;
  /** Name of its first operation: `WatchInstance`. */
  readonly title: string;
  /** What it is for: the `# group:` of the file. */
  readonly group: ExampleGroup;
  /** The comment at the top of the file, as one paragraph. */
  readonly description: string;
  /** The text as it stands in the file, its comment included. */
  readonly document: string;
}

export const exampleGroups = ['watch', 'command', 'look', 'understand'] as const;
export type ExampleGroup = (typeof exampleGroups)[number];

/** Reads the contract from `schema/*.graphql`. Throws where the files do not make one schema. */
export function loadSchemaSdl(directory = schemaDirectory): SchemaSdl {
  return mergeSdl(
    graphqlFiles(directory).map((file) => readFileSync(`${directory}/${file}`, 'utf8')),
  );
}

/** Makes one schema of the texts of several files; the root types are extended from file to file. */
export function mergeSdl(files: readonly string[]): SchemaSdl {
  const sdl = files.join('\n');
  return { sdl, schema: buildSchema(sdl) };
}

/**
 * The example operations of GraphiQL, by the number at the front of their file names. The first line of a file
 * is its group, `# group: watch`; a comment that describes it follows.
 */
export function loadExampleOperations(
  directory = `${schemaDirectory}/operations`,
): ExampleOperation[] {
  return graphqlFiles(directory).map((file) => {
    const text = readFileSync(`${directory}/${file}`, 'utf8');
    const [, group, comment = '', operations = ''] =
      /^# group: (\w+)\n((?:# .*\n)+)([\s\S]*)$/.exec(text) ?? [];
    const known = exampleGroups.find((each) => each === group);
    if (!known)
      throw new Error(`${file} must begin with "# group: ${exampleGroups.join(' or ')}".`);
    return {
      name: file.replace(/^\d+-/, '').replace(/\.graphql$/, ''),
      title: /^\w+ (\w+)/.exec(operations)?.[1] ?? file,
      group: known,
      description: comment.replaceAll(/^# /gm, '').trim().replaceAll('\n', ' '),
      document: comment + operations,
    };
  });
}

function graphqlFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.graphql'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}
