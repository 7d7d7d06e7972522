/** What lifecycle commands to instances and hosts share. */

import { hashInput } from '../../store/command/idempotency.ts';
import type { Command } from '../../store/command/lifecycle-commands.ts';
import { checkCommon } from '../../store/input/checks.ts';
import { type CommonInput, NotSaved, Problems } from '../../store/input/save-result.ts';
import { type Context, callerOf } from '../base/context.ts';
import { type InvalidInputShape, invalidInput } from '../result/user-errors.ts';

export interface CommandInput extends CommonInput {
  expectedSequence?: number | null;
}

/** The command for the store; `reference` is a uuid or a key. */
export function commandOf(
  context: Context,
  field: string,
  { reference, input }: { reference: string; input: CommandInput },
): Command {
  const { organizationId, callerId, actor } = callerOf(context);
  const key = input.idempotencyKey;
  return {
    organizationId,
    actor,
    reference,
    reason: input.reason ?? null,
    expectedSequence: input.expectedSequence ?? null,
    idempotency: key ? { caller: callerId, field, key, inputHash: hashInput(input) } : null,
  };
}

/** Faults in the fields that every command has; null: none. */
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
