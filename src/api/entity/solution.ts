/** Solutions and their published versions. */
import {
  createSolution,
  deleteSolution,
  publishSolutionVersion,
  updateSolution,
} from '../../store/resource/solutions.ts';
import { builder } from '../base/builder.ts';
import { callerOf } from '../base/context.ts';
import { globalId, named, referenceOf } from '../base/ids.ts';
import { readsOf } from '../base/reads.ts';
import { defineList, defineOrder } from '../list/connection.ts';
import { allOf, anyOf, resources, within } from '../list/filters.ts';
import { commonFields, guardedFields } from '../result/inputs.ts';
import {
  Conflict,
  creationResult,
  InvalidInput,
  ResourceNotFound,
  resultType,
  type Saved,
  saveResult,
} from '../result/user-errors.ts';
import { instanceList } from './instance.ts';
import { TimeRange } from './node.ts';

export const Solution = builder.drizzleNode('solutions', {
  name: 'Solution',
  id: { column: (solution) => solution.id },
  fields: (t) => ({
    key: t.exposeString('key'),
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    definition: t.expose('definition', { type: 'JSON', nullable: true }),
    latestVersion: t.field({
      type: SolutionVersion,
      nullable: true,
      select: (_args, _context, nested) => ({
        with: { versions: nested({ limit: 1, orderBy: { ordinal: 'desc' } } as object) },
      }),
      resolve: ({ versions }) => versions[0] ?? null,
    }),
    versions: solutionVersionList.related(t, 'versions', 'solutions'),
    instances: instanceList.related(t, 'instances', 'solutions'),
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  }),
});

export const SolutionVersion = builder.drizzleObject('solutionVersions', {
  name: 'SolutionVersion',
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId('SolutionVersion', id) }),
    version: t.exposeString('version'),
    solution: t.relation('solution'),
    definition: t.expose('definition', { type: 'JSON' }),
    publishedAt: t.expose('publishedAt', { type: 'DateTime' }),
  }),
});

const solutionVersionList = defineList({
  name: 'SolutionVersion',
  type: SolutionVersion,
  table: 'solutionVersions',
  filter: builder.inputType('SolutionVersionFilter', {
    fields: (t) => ({
      version: t.stringList(),
      publishedAt: t.field({ type: TimeRange }),
    }),
  }),
  // The ordinal distinguishes versions of a solution that were published in one millisecond.
  order: defineOrder('SolutionVersion', {
    by: { PUBLISHED_AT: 'publishedAt' },
    unique: ['ordinal'],
    initial: { field: 'PUBLISHED_AT', direction: 'desc' },
  }),
  where: (filter) =>
    allOf(anyOf('version', filter?.version), within('publishedAt', filter?.publishedAt)),
});

export const solutionList = defineList({
  name: 'Solution',
  type: Solution,
  table: 'solutions',
  filter: builder.inputType('SolutionFilter', {
    fields: (t) => ({
      published: t.boolean(),
      key: t.stringList(),
      text: t.string(),
      archived: t.boolean(),
    }),
  }),
  order: defineOrder('Solution', {
    by: { KEY: 'key', NAME: 'name', CREATED_AT: 'createdAt', UPDATED_AT: 'updatedAt' },
    initial: { field: 'KEY', direction: 'asc' },
  }),
  where: (filter) =>
    allOf(resources(filter), filter?.published == null ? {} : { versions: filter.published }),
});

builder.queryFields((t) => ({
  solution: t.drizzleField({
    type: Solution,
    nullable: true,
    args: { solution: t.arg.id({ required: true }) },
    resolve: (query, _root, args, context) =>
      readsOf(context, 'solutions').findFirst(
        query({ where: { ...named('Solution', args.solution) } }),
      ),
  }),
  solutions: solutionList.root(t),
}));

const SolutionSaved = builder.objectRef<Saved<'SolutionSaved'>>('SolutionSaved').implement({
  fields: (t) => ({
    solution: t.drizzleField({
      type: Solution,
      resolve: async (query, { id }, _args, context) =>
        (await readsOf(context, 'solutions').findFirst(query({ where: { id } })))!,
    }),
  }),
});

const SolutionVersionPublished = builder
  .objectRef<Saved<'SolutionVersionPublished'>>('SolutionVersionPublished')
  .implement({
    fields: (t) => ({
      version: t.drizzleField({
        type: SolutionVersion,
        resolve: async (query, { id }, _args, context) =>
          (await readsOf(context, 'solutionVersions').findFirst(query({ where: { id } })))!,
      }),
    }),
  });

const SolutionDeleted = builder.objectRef<Saved<'SolutionDeleted'>>('SolutionDeleted').implement({
  fields: (t) => ({ deletedId: t.id({ resolve: ({ id }) => globalId('Solution', id) }) }),
});

const CreateSolutionInput = builder.inputType('CreateSolutionInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    name: t.string(),
    description: t.string(),
    definition: t.field({ type: 'JSON' }),
    ...commonFields(t),
  }),
});

const UpdateSolutionInput = builder.inputType('UpdateSolutionInput', {
  fields: (t) => ({
    solution: t.id({ required: true }),
    name: t.string(),
    description: t.string(),
    definition: t.field({ type: 'JSON' }),
    ...guardedFields(t),
  }),
});

const PublishSolutionVersionInput = builder.inputType('PublishSolutionVersionInput', {
  fields: (t) => ({
    solution: t.id({ required: true }),
    version: t.string(),
    definition: t.field({ type: 'JSON' }),
    ...guardedFields(t),
  }),
});

const DeleteSolutionInput = builder.inputType('DeleteSolutionInput', {
  fields: (t) => ({ solution: t.id({ required: true }), ...guardedFields(t) }),
});

builder.mutationFields((t) => ({
  createSolution: t.field({
    type: resultType('CreateSolutionResult', [SolutionSaved, InvalidInput, Conflict]),
    nullable: true,
    args: { input: t.arg({ type: CreateSolutionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      creationResult(
        'SolutionSaved',
        await createSolution(context.store, callerOf(context), input),
      ),
  }),
  updateSolution: t.field({
    type: resultType('UpdateSolutionResult', [
      SolutionSaved,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: UpdateSolutionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'SolutionSaved',
        await updateSolution(context.store, callerOf(context), withReference(input)),
      ),
  }),
  publishSolutionVersion: t.field({
    type: resultType('PublishSolutionVersionResult', [
      SolutionVersionPublished,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: PublishSolutionVersionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'SolutionVersionPublished',
        await publishSolutionVersion(context.store, callerOf(context), withReference(input)),
      ),
  }),
  deleteSolution: t.field({
    type: resultType('DeleteSolutionResult', [
      SolutionDeleted,
      InvalidInput,
      ResourceNotFound,
      Conflict,
    ]),
    nullable: true,
    args: { input: t.arg({ type: DeleteSolutionInput, required: true }) },
    resolve: async (_root, { input }, context) =>
      saveResult(
        'SolutionDeleted',
        await deleteSolution(context.store, callerOf(context), withReference(input)),
      ),
  }),
}));

function withReference<Input extends { solution: string }>(input: Input): Input {
  return { ...input, solution: referenceOf('Solution', input.solution) };
}
