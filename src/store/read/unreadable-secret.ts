/** Whether the secrets of an instance can be opened for its runtime. */
import type { Store } from '../commit/store.ts';
import { SecretError } from '../secret/keys.ts';
import { openSettings } from '../secret/settings.ts';
import type { InstanceTarget } from './targets.ts';

/** Why a secret of the instance does not open, with what to do; null: all of them do. */
export function unreadableSecret(
  { secretKeys: keys }: Store,
  { id: instanceId, secrets: settings }: Pick<InstanceTarget, 'id' | 'secrets'>,
): { code: string; message: string } | null {
  for (const name of Object.keys(settings ?? {})) {
    try {
      openSettings({ settings: settings ?? {}, secretSettings: [name] }, { instanceId, keys });
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      return { code: error.code, message: `The setting ${name} cannot be read. ${error.message}` };
    }
  }
  return null;
}
