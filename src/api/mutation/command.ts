/** What the lifecycle commands of instances and hosts have in common. */
import type { ObjectParam } from '@pothos/core';
import { hashInput } from '../../store/command/idempotency.ts';
import type { Command } from '../../store/command/lifecycle-commands.ts';
import type { Store } from '../../store/commit/store.ts';
import { checkCommon } from '../../store/input/checks.ts';
import { type CommonInput, NotSaved, Problems } from '../../store/input/save-result.ts';
import { builder, type Types } from '../base/builder.ts';
import { type Context, callerOf } from '../base/context.ts';
import { referenceOf } from '../base/ids.ts';
import { commandFields } from '../result/inputs.ts';
import {
  Conflict,
  InvalidInput,
  type InvalidInputShape,
  invalidInput,
  ResourceNotFound,
  resultType,
} from '../result/user-errors.ts';

export interface CommandInput extends CommonInput {
  expectedSequence?: number | null;
}

/** The command as the store takes it; `reference` is a uuid or a key. */
export function commandOf(
  context: Context,
  field: string,
  { reference, input }: { reference: string; input: CommandInput },
): Command {
  const { organizationId, accessKeyId, actor } = callerOf(context);
  const key = input.idempotencyKey;
  return {
    organizationId,
    actor,
    reference,
    reason: input.reason ?? null,
    expectedSequence: input.expectedSequence ?? null,
    idempotency: key ? { caller: accessKeyId, field, key, inputHash: hashInput(input) } : null,
  };
}

/** What is wrong with the fields that every command has; null: nothing. */
export function refusedFields(input: CommonInput): InvalidInputShape | null {
  const problems = new Problems();
  checkCommon(problems, input);
  try {
    problems.throwIfAny();
    return null;
  } catch (error) {
    if (error instanceof NotSaved && error.result.outcome === 'INVALID') {
      return invalidInput(error.result.issues);
    }
    throw error;
  }
}

/** One command: the names of its mutation and of its types, and its action. */
export interface CommandNames<Action> {
  readonly field: string;
  readonly input: string;
  readonly result: string;
  readonly action: Action;
  /** The action with `force: true`; if absent, the input has no `force`. */
  readonly forced?: Action;
  /** Whether the input has a `containerTag`. */
  readonly tagged?: true;
}

/**
 * Defines the mutations of commands.
 *
 * @param options.argument the field of the input that names the resource
 */
export function defineCommands<Action>(
  commands: readonly CommandNames<Action>[],
  options: {
    readonly type: 'Instance' | 'Host';
    readonly argument: 'instance' | 'host';
    readonly members: readonly ObjectParam<Types>[];
    send(store: Store, action: Action, command: Command): Promise<object>;
  },
): void {
  const { type, argument } = options;
  for (const { field, input: inputName, result, action, forced, tagged } of commands) {
    const Input = builder.inputType(inputName, {
      fields: (t) => ({
        [argument]: t.id({ required: true }),
        ...(forced ? { force: t.boolean() } : {}),
        ...(tagged ? { containerTag: t.string({ required: true }) } : {}),
        ...commandFields(t),
      }),
    });
    builder.mutationField(field, (t) =>
      t.field({
        type: resultType(result, [...options.members, InvalidInput, ResourceNotFound, Conflict]),
        nullable: true,
        args: { input: t.arg({ type: Input, required: true }) },
        resolve: (_root, args, context) => {
          const input = args.input as CommandInput & Record<string, unknown>;
          const refused = refusedFields(input);
          if (refused) return refused as never;
          const reference = referenceOf(type, String(input[argument]));
          const containerTag = tagged ? String(input.containerTag) : null;
          const command = { ...commandOf(context, field, { reference, input }), containerTag };
          const chosen = forced && input.force === true ? forced : action;
          return options.send(context.store, chosen, command) as never;
        },
      }),
    );
  }
}
