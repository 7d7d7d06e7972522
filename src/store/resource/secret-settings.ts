/**
 * Which settings of an instance are secrets, and their sealing. Which ones are is stored with the instance: a
 * value that was declared as a secret once stays one until it is set anew, whatever the instance runs next.
 */
import { and, asc, eq, sql } from 'drizzle-orm';
import { secretSettings } from '../../lifecycle/solution-rules.ts';
import type { Transaction } from '../input/caller.ts';
import { NotSaved, type Problems } from '../input/save-result.ts';
import { SecretError, type SecretKeys } from '../secret/keys.ts';
import {
  mapSecrets,
  resealedSettings,
  type Settings,
  type SettingsOwner,
  type StoredSettings,
  settingPlace,
} from '../secret/settings.ts';
import { instances } from '../table/schema.ts';

type Definition = Record<string, unknown> | null | undefined;

/**
 * The names of the secrets among an instance's settings.
 *
 * @param before what is stored; `anew` are the names that are being set
 * @param declarations what says now what the settings are: the version that runs, the newest, the draft
 */
export function secretsAmong(
  settings: Settings,
  { before, anew }: { before: StoredSettings; anew: readonly string[] },
  declarations: readonly Definition[],
): string[] {
  const secrets = new Set([
    ...before.secretSettings.filter((name) => !anew.includes(name)),
    ...declarations.flatMap((definition) => secretSettings(definition)),
  ]);
  return Object.keys(settings).filter((name) => secrets.has(name));
}

/** The settings with every secret sealed. Where that cannot be, it is a problem. */
export function sealSettings(
  problems: Problems,
  stored: StoredSettings,
  { instanceId, keys }: SettingsOwner,
): Settings {
  return mapSecrets(stored, (value, name) => {
    try {
      return keys.seal(value, settingPlace(instanceId, name));
    } catch (error) {
      return asProblem(problems, name, error);
    }
  });
}

/**
 * The settings in clear, for their next edit; those that are set `anew` are null. Where another one does not
 * open, that is a problem, and there are none.
 */
export function openForEdit(
  problems: Problems,
  stored: StoredSettings,
  { instanceId, keys, anew }: SettingsOwner & { anew: readonly string[] },
): Settings | null {
  let isOpen = true;
  const settings = mapSecrets(stored, (value, name) => {
    if (anew.includes(name)) return null;
    try {
      return keys.open(value, settingPlace(instanceId, name));
    } catch (error) {
      isOpen = false;
      return asProblem(problems, name, error);
    }
  });
  return isOpen ? settings : null;
}

function asProblem(problems: Problems, name: string, error: unknown): null {
  if (!(error instanceof SecretError)) throw error;
  problems.issue(`settings.${name}`, error.message);
  return null;
}

/**
 * A new draft or version of a solution was stored: what it declares as secrets is a secret from now on,
 * in every instance of the solution, and sealed. The solution must be locked.
 *
 * @throws NotSaved where there is something to seal and no key
 */
export async function markSecrets(
  tx: Transaction,
  { solutionId, keys }: { solutionId: string; keys: SecretKeys },
  definition: Definition,
): Promise<void> {
  const names = secretSettings(definition);
  if (names.length === 0) return;
  const given = sql`(select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb))`;
  const { settings, secretSettings: secrets } = instances;
  const unmarked = await tx
    .select({ id: instances.id, settings, secretSettings: secrets })
    .from(instances)
    .where(
      and(
        eq(instances.solutionId, solutionId),
        sql`exists (select from jsonb_object_keys(${settings}) name
                     where name in ${given} and not ${secrets} ? name)`,
      ),
    )
    .orderBy(asc(instances.id)) // As a commit locks instances.
    .for('no key update');
  const marked = unmarked.map((row) => {
    const isSecret = (name: string) => row.secretSettings.includes(name) || names.includes(name);
    const after = { ...row, secretSettings: Object.keys(row.settings).filter(isSecret) };
    return { ...after, settings: sealClear(after, { instanceId: row.id, keys }) };
  });
  await writeSettings(tx, marked);
}

/** Seals what is in clear. */
function sealClear(stored: StoredSettings, owner: SettingsOwner): Settings {
  return resealedSettings(stored, owner, {
    isDue: (keyId) => keyId === null,
    onError(_name, error) {
      if (!(error instanceof SecretError)) throw error;
      const message = `It makes a setting of existing instances a secret. ${error.message}`;
      throw new NotSaved({
        outcome: 'INVALID',
        issues: [{ path: 'definition.settings', message }],
      });
    },
  });
}

/** Writes the settings of locked instances. */
export async function writeSettings(
  tx: Transaction,
  rows: readonly (StoredSettings & { id: string })[],
): Promise<void> {
  if (rows.length === 0) return;
  await tx.execute(sql`
    update ${instances} set settings = v.settings, secret_settings = v."secretSettings"
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
             v(id uuid, settings jsonb, "secretSettings" jsonb)
     where ${instances.id} = v.id`);
}
