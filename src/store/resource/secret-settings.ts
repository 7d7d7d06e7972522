/**
 * Which settings of an instance are secrets. That is stored with the instance: a value that was declared
 * as a secret once stays one until it is set anew, whatever the instance runs next.
 */
import { sql } from 'drizzle-orm';
import { secretSettings } from '../../lifecycle/solution-rules.ts';
import type { Transaction } from '../input/caller.ts';
import { instances } from '../table/schema.ts';

type Definition = Record<string, unknown> | null | undefined;

/** The columns of an instance's settings. */
export interface StoredSettings {
  readonly settings: Record<string, unknown>;
  readonly secretSettings: string[];
}

/**
 * The names of the secrets among an instance's settings.
 *
 * @param before what is stored; `anew` are the names that are being set
 * @param declarations what says now what the settings are: the version that runs, the newest, the draft
 */
export function secretsAmong(
  settings: Record<string, unknown>,
  { before, anew }: { before: StoredSettings; anew: readonly string[] },
  declarations: readonly Definition[],
): string[] {
  const secrets = new Set([
    ...before.secretSettings.filter((name) => !anew.includes(name)),
    ...declarations.flatMap((definition) => secretSettings(definition)),
  ]);
  return Object.keys(settings).filter((name) => secrets.has(name));
}

/**
 * A new draft or version of a solution was stored: what it declares as secrets is a secret from now on,
 * in every instance of the solution. The solution must be locked.
 */
export async function markSecrets(
  tx: Transaction,
  solutionId: string,
  definition: Definition,
): Promise<void> {
  const names = secretSettings(definition);
  if (names.length === 0) return;
  const given = sql`(select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb))`;
  const { settings, secretSettings: secrets } = instances;
  // In the order of the ids, as a commit locks instances.
  await tx.execute(sql`
    with unmarked as materialized (
      select ${instances.id} from ${instances} where ${instances.solutionId} = ${solutionId}::uuid
         and exists (select from jsonb_object_keys(${settings}) name
                      where name in ${given} and not ${secrets} ? name)
       order by ${instances.id} for no key update
    )
    update ${instances} set secret_settings = (
      select jsonb_agg(name) from jsonb_object_keys(${settings}) name
       where name in ${given} or ${secrets} ? name)
     where ${instances.id} in (select id from unmarked)`);
}
