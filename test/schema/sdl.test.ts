import {
  buildSchema,
  extendSchema,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  parse,
  printSchema,
  validate,
  validateSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { compareSchemas, describedElements, unannounced } from '../../schema/diff.ts';
import { loadExampleOperations, loadSchemaSdl } from '../../schema/load.ts';

const { schema } = loadSchemaSdl();
const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'));
const objects = types.filter(isObjectType);

/** Fields that are an enum of their own for each kind; mixed selections read `stateName` and its like. */
const typedPerKind = new Set(['state', 'from', 'to', 'allowedActions', 'action']);
/** An operation and a compute provider, which nothing but `node` returns side by side, have both. */
const typedPerNode = new Set(['kind', 'status']);

describe('the files', () => {
  it('make one valid schema, which prints and builds again', () => {
    expect(validateSchema(schema)).toEqual([]);
    expect(printSchema(buildSchema(printSchema(schema)))).toBe(printSchema(schema));
    expect(printSchema(schema)).toContain('input InstanceConfigurationInput @oneOf');
  });

  it('describe every element', () => {
    const bare = [...describedElements(schema)].filter(([, text]) => !text).map(([name]) => name);
    expect(bare).toEqual([]);
  });

  it('define nothing that cannot be reached', () => {
    const reached = printSchema(schema);
    const unused = types.filter(
      ({ name }) => reached.match(new RegExp(`\\b${name}\\b`, 'g'))?.length === 1,
    );
    const roots = ['Query', 'Mutation', 'Subscription'];
    const builtIn = ['Boolean', 'Float', 'Int', 'String', 'ID'];
    expect(unused.filter(({ name }) => ![...roots, ...builtIn].includes(name))).toEqual([]);
  });
});

describe('the conventions', () => {
  it('leave root fields nullable, but for the position in the feed', () => {
    const roots = [schema.getQueryType(), schema.getMutationType()].filter((type) => !!type);
    const strict = roots
      .flatMap((type) => Object.values(type.getFields()))
      .filter((field) => isNonNullType(field.type))
      .map((field) => field.name);
    expect(strict).toEqual(['feedPosition']);
  });

  it('make every list a connection with pages, filter and order', () => {
    for (const type of objects) {
      for (const field of Object.values(type.getFields())) {
        if (!getNamedType(field.type).name.endsWith('Connection')) continue;
        const args = field.args.map(({ name, type: argType }) => `${name}: ${argType}`);
        expect(args, `${type.name}.${field.name}`).toEqual([
          'first: Int',
          'after: String',
          'last: Int',
          'before: String',
          expect.stringMatching(/^filter: \w+Filter$/),
          expect.stringMatching(/^orderBy: \w+Order$/),
        ]);
      }
    }
    for (const connection of objects.filter(({ name }) => name.endsWith('Connection'))) {
      const fields = Object.values(connection.getFields()).map(({ name, type }) => [
        name,
        `${type}`,
      ]);
      const node = connection.name.replace(/Connection$/, '');
      expect(Object.fromEntries(fields)).toEqual({
        edges: `[${node}Edge!]!`,
        nodes: `[${node}!]!`,
        pageInfo: 'PageInfo!',
        totalCount: 'Int!',
      });
    }
  });

  it('have no list with a null in it, but for `nodes` by id', () => {
    const loose = objects
      .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
      .filter(({ field }) => {
        const list = isNonNullType(field.type) ? field.type.ofType : field.type;
        return isListType(list) && !isNonNullType(list.ofType);
      });
    expect(loose.map(({ type, field }) => `${type.name}.${field.name}`)).toEqual(['Query.nodes']);
  });

  const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
  const ours = mutations.filter(({ name }) => !/^(completeRuntimeCommand|report)/.test(name));

  it.each(ours.map((field) => [field.name, field] as const))(
    '%s takes one input with the common fields and answers with a union',
    (name, field) => {
      const pascal = name[0]?.toUpperCase() + name.slice(1);
      expect(field.args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([
        `input: ${pascal}Input!`,
      ]);
      expect(`${field.type}`).toBe(`${pascal}Result`);
      const input = inputFields(`${pascal}Input`);
      expect(input).toMatchObject({ idempotencyKey: 'String', reason: 'String' });
      const lifecycle =
        /^(deploy|start|pause|resume|stop|restart|detach|remove|updateRuntime)/.test(name);
      if (/^(update|delete)/.test(name) && !lifecycle)
        expect(input).toMatchObject({ expectedVersion: 'Int' });
      if (lifecycle) expect(input).toMatchObject({ expectedSequence: 'Int' });
    },
  );

  it('answer every mutation with one accepted type and refusals', () => {
    for (const field of mutations) {
      const result = getNamedType(field.type);
      const members = isAbstractType(result) ? schema.getPossibleTypes(result) : [];
      const accepted = members.filter(
        (member) => !member.getInterfaces().some(({ name }) => name === 'UserError'),
      );
      expect(accepted, field.name).toHaveLength(1);
      expect(members, field.name).toContain(schema.getType('InvalidInput'));
    }
  });

  it('show the sequence wherever a typed state of a resource is shown', () => {
    for (const name of ['Instance', 'Host', 'InstanceCommandRefused', 'HostCommandRefused']) {
      expect(outputFields(name), name).toMatchObject({ sequence: 'Int!' });
    }
  });
});

describe('the example operations', () => {
  const examples = loadExampleOperations();

  it('are in the order of their numbers', () => {
    expect(examples.map(({ name }) => name)).toEqual([
      'watch-instance',
      'deploy-instance',
      'pause-instance',
      'resume-instance',
      'stop-instance',
      'restart-instance',
      'history',
      'endpoints',
      'fleet',
      'state-machine',
      'query-then-subscribe',
      'register-docker-engine',
      'compute-providers',
      'deploy-on-docker',
      'sync-container-tags',
      'update-runtime',
    ]);
  });

  it.each(examples.map(({ name, document }) => [name, document]))(
    '%s is valid and says what to expect',
    (_name, document) => {
      expect(document).toMatch(/^# \S/);
      expect(validate(schema, parse(document)).map(({ message }) => message)).toEqual([]);
    },
  );
});

describe('mixed selections', () => {
  const abstract = types.filter(isAbstractType);

  it.each(abstract.map((type) => [type.name, type] as const))(
    'all members of %s can be read side by side',
    (name, type) => {
      const members = schema.getPossibleTypes(type).map((member) => {
        const text = selection(member, 3);
        const apart = name === 'Node' && member.name === 'ComputeProvider';
        return `... on ${member.name} ${apart ? aliased(text) : text}`;
      });
      const own = isInterfaceType(type) ? selectionFields(type, 2) : '__typename';
      expect(errorsOf(`{ probe${name} { ${own} ${members.join(' ')} } }`)).toEqual([]);
    },
  );

  it('conflict in the documented fields alone', () => {
    const typed = (field: string) =>
      errorsOf(`{ probeResource { ... on Instance { ${field} } ... on Host { ${field} } } }`);
    expect(typed('state')).toHaveLength(1);
    expect(typed('allowedActions')).toHaveLength(1);
    expect(typed('stateName sequence version labels { name value }')).toEqual([]);
  });

  /** The schema with a field `probeX` for each abstract type, so that each can be read at a root. */
  const probes = extendSchema(
    schema,
    parse(`extend type Query { ${abstract.map(({ name }) => `probe${name}: ${name}`).join(' ')} }`),
  );

  function errorsOf(document: string): string[] {
    return validate(probes, parse(document), undefined, { maxErrors: 5 }).map((e) => e.message);
  }
});

describe('the comparison', () => {
  const after = (from: string, to: string) => {
    const text = printSchema(schema);
    expect(text).toContain(from);
    return compareSchemas(schema, buildSchema(text.replace(from, to)));
  };

  it('finds nothing between equals', () => {
    expect(compareSchemas(schema, loadSchemaSdl().schema)).toEqual([]);
  });

  it('marks what breaks a client', () => {
    expect(after('  takesMessages: Boolean\n', '  takesAll: Boolean\n')).toContainEqual({
      severity: 'BREAKING',
      coordinate: 'Instance.takesMessages',
      description: 'Instance.takesMessages was removed.',
    });
    expect(after('InstanceConfigurationInput @oneOf', 'InstanceConfigurationInput')).toMatchObject([
      { severity: 'BREAKING', coordinate: 'InstanceConfigurationInput' },
    ]);
  });

  it('tells what is merely dangerous or new', () => {
    expect(after('enum HostDriver {', 'enum HostDriver { OTHER')).toMatchObject([
      { severity: 'DANGEROUS', coordinate: 'HostDriver.OTHER' },
    ]);
    expect(after('type Bookmark {', 'type Bookmark { at: DateTime')).toMatchObject([
      { severity: 'SAFE', coordinate: 'Bookmark.at' },
    ]);
  });

  it('takes a breaking change that the changelog announces', () => {
    const changes = after('  takesMessages: Boolean\n', '  takesAll: Boolean\n').filter(
      ({ severity }) => severity === 'BREAKING',
    );
    const log = (line: string) =>
      `# Changelog\n\n## Unreleased\n\n${line}\n\n## 0.1.0\n\n- first\n`;
    expect(unannounced(changes, log('- added: something'))).toEqual(changes);
    expect(unannounced(changes, log('- breaking: Instance.takes is gone'))).toEqual(changes);
    expect(unannounced(changes, log('- breaking: Instance.takesMessages is gone'))).toEqual([]);
    expect(unannounced(changes, '## 0.1.0\n- breaking: Instance.takesMessages\n')).toEqual(changes);
  });
});

function outputFields(name: string): Record<string, string> {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Error(`${name} is no object type`);
  return Object.fromEntries(Object.values(type.getFields()).map((f) => [f.name, `${f.type}`]));
}

function inputFields(name: string): Record<string, string> {
  const type = schema.getType(name);
  if (!type || !('getFields' in type)) throw new Error(`${name} has no fields`);
  return Object.fromEntries(Object.values(type.getFields()).map((f) => [f.name, `${f.type}`]));
}

/** A selection with its fields of `typedPerNode` under other names. */
const aliased = (text: string): string =>
  text.replace(/^\{ __typename(.*)/s, (all) =>
    [...typedPerNode].reduce(
      (each, field) => each.replace(` ${field} `, ` other_${field}: ${field} `),
      all,
    ),
  );

/** Everything there is to select, `depth` levels down, without the fields that are typed per kind. */
function selection(type: GraphQLNamedType, depth: number): string {
  if (isObjectType(type) || isInterfaceType(type)) return `{ ${selectionFields(type, depth)} }`;
  if (!isAbstractType(type)) return '';
  const members = schema.getPossibleTypes(type);
  return `{ __typename ${members.map((m) => `... on ${m.name} ${selection(m, depth)}`).join(' ')} }`;
}

function selectionFields(type: Pick<GraphQLObjectType, 'getFields'>, depth: number): string {
  const fields = Object.values(type.getFields()).filter((field) => !typedPerKind.has(field.name));
  const texts = fields.map((field: GraphQLField<unknown, unknown>) => {
    if (field.args.some(isRequiredArgument)) return '';
    const inner = getNamedType(field.type);
    if (isLeafType(inner)) return field.name;
    return depth > 1 ? `${field.name} ${selection(inner, depth - 1)}` : '';
  });
  return ['__typename', ...texts].join(' ');
}
