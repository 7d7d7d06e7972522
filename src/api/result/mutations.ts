/** The fields and result types of the mutations that create, update and delete resources. */
import type { FieldRef, InputRef, ObjectParam, ObjectRef } from '@pothos/core';
import type { Caller, ResourceStore } from '../../store/input/caller.ts';
import type { SaveResult } from '../../store/input/save-result.ts';
import { builder, type Types } from '../base/builder.ts';
import { type Context, callerOf } from '../base/context.ts';
import { globalId } from '../base/ids.ts';
import { readRow, type VisibleTable } from '../base/reads.ts';
import { withReferences } from './references.ts';
import {
  Conflict,
  InvalidInput,
  ResourceNotFound,
  resultType,
  type Saved,
  saveResult,
} from './user-errors.ts';

/** The accepted type that shows the row of a creation or an update. */
export function savedType<Name extends string>(
  name: Name,
  shown: { field: string; type: object; table: VisibleTable },
) {
  return builder.objectRef<Saved<Name>>(name).implement({
    fields: (builderOf) => {
      const t = builderOf as unknown as RowFieldBuilder;
      return {
        [shown.field]: t.drizzleField({
          type: shown.type,
          resolve: (query, { id }, _args, context) =>
            readRow(context, shown.table, query({ where: { id } })),
        }),
      };
    },
  });
}

/** The accepted type of a deletion, with the global id of what was deleted. */
export function deletedType<Name extends string>(name: Name, type: string) {
  return builder.objectRef<Saved<Name>>(name).implement({
    fields: (t) => ({ deletedId: t.id({ resolve: ({ id }) => globalId(type, id) }) }),
  });
}

export interface SaveFieldOptions<Input extends object> {
  /** The name of the union of results. */
  readonly result: string;
  readonly accepted: ObjectRef<Types, Saved<string>>;
  /** Default: an invalid input, what the input names is missing, a conflict. */
  readonly refusals?: readonly ObjectParam<Types>[];
  readonly input: InputRef<Input>;
  /** The types of the fields of the input that name something. */
  readonly references?: { readonly [Field in keyof Input]?: string };
  save(store: ResourceStore, caller: Caller, input: Input): Promise<SaveResult>;
  /** The member of the union for a refusal by the state machine. */
  refused?(result: Extract<SaveResult, { outcome: 'REFUSED' }>, context: Context): Promise<object>;
}

/** A field of Mutation that creates, updates or deletes a resource. */
export function saveField<Input extends object>(
  builderOf: object,
  options: SaveFieldOptions<Input>,
): FieldRef<Types, unknown> {
  const t = builderOf as MutationFieldBuilder;
  const { accepted, input, refusals = [InvalidInput, ResourceNotFound, Conflict] } = options;
  return t.field({
    type: resultType(options.result, [accepted as ObjectParam<Types>, ...refusals]),
    nullable: true,
    args: { input: t.arg({ type: input, required: true }) },
    async resolve(_root, args, context) {
      const resolved = withReferences(args.input as Input, options.references ?? {});
      const result = await options.save(context.store, callerOf(context), resolved);
      return result.outcome === 'REFUSED' && options.refused
        ? options.refused(result, context)
        : saveResult(accepted.name, result);
    },
  });
}

/** The parts of Pothos' field builders that are used here; their own types do not reach through a helper. */
interface RowFieldBuilder {
  drizzleField(options: {
    type: object;
    resolve: (
      query: (wanted: object) => object,
      saved: Saved<string>,
      args: object,
      context: Context,
    ) => Promise<object | undefined>;
  }): FieldRef<Types, unknown>;
}

interface MutationFieldBuilder {
  arg(options: { type: unknown; required: true }): never;
  field(options: {
    type: object;
    nullable: true;
    args: object;
    resolve: (root: unknown, args: { input: unknown }, context: Context) => Promise<object>;
  }): FieldRef<Types, unknown>;
}
