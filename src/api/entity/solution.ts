/** Solutions and their published versions. */
import {
  createSolution,
  deleteSolution,
  publishSolutionVersion,
  updateSolution,
} from '../../store/resource/solutions.ts';
import { builder } from '../base/builder.ts';
import { globalId } from '../base/ids.ts';
import { defineList } from '../list/connection.ts';
import { allOf, anyOf, inSpan, resourceFilterFields, resources } from '../list/filters.ts';
import { defineOrder, entryOrder } from '../list/order.ts';
import { commonFields, guardedFields, textFields } from '../result/inputs.ts';
import { deletedType, savedType, saveField } from '../result/mutations.ts';
import { Conflict, InvalidInput } from '../result/user-errors.ts';
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
    allOf(anyOf('version', filter?.version), inSpan('publishedAt', filter?.publishedAt)),
});

export const solutionList = defineList({
  name: 'Solution',
  type: Solution,
  table: 'solutions',
  filter: builder.inputType('SolutionFilter', {
    fields: (t) => ({
      published: t.boolean(),
      ...resourceFilterFields(t),
    }),
  }),
  order: entryOrder('Solution'),
  where: (filter) =>
    allOf(resources(filter), filter?.published == null ? {} : { versions: filter.published }),
});

builder.queryFields((t) => ({
  solution: solutionList.one(t, 'solution'),
  solutions: solutionList.root(t),
}));

const SolutionSaved = savedType('SolutionSaved', {
  field: 'solution',
  type: Solution,
  table: 'solutions',
});

const SolutionVersionPublished = savedType('SolutionVersionPublished', {
  field: 'version',
  type: SolutionVersion,
  table: 'solutionVersions',
});

const SolutionDeleted = deletedType('SolutionDeleted', 'Solution');

const CreateSolutionInput = builder.inputType('CreateSolutionInput', {
  fields: (t) => ({
    key: t.string({ required: true }),
    ...textFields(t),
    definition: t.field({ type: 'JSON' }),
    ...commonFields(t),
  }),
});

const UpdateSolutionInput = builder.inputType('UpdateSolutionInput', {
  fields: (t) => ({
    solution: t.id({ required: true }),
    ...textFields(t),
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

const references = { solution: 'Solution' } as const;

builder.mutationFields((t) => ({
  createSolution: saveField(t, {
    result: 'CreateSolutionResult',
    accepted: SolutionSaved,
    refusals: [InvalidInput, Conflict],
    input: CreateSolutionInput,
    save: createSolution,
  }),
  updateSolution: saveField(t, {
    result: 'UpdateSolutionResult',
    accepted: SolutionSaved,
    input: UpdateSolutionInput,
    references,
    save: updateSolution,
  }),
  publishSolutionVersion: saveField(t, {
    result: 'PublishSolutionVersionResult',
    accepted: SolutionVersionPublished,
    input: PublishSolutionVersionInput,
    references,
    save: publishSolutionVersion,
  }),
  deleteSolution: saveField(t, {
    result: 'DeleteSolutionResult',
    accepted: SolutionDeleted,
    input: DeleteSolutionInput,
    references,
    save: deleteSolution,
  }),
}));
