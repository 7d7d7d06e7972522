/** The settings of an instance as they are stored: the values of those that are secrets are sealed. */
import { keyIdOf, type SecretKeys } from './keys.ts';

export type Settings = Record<string, unknown>;

/** The columns of an instance's settings. */
export interface StoredSettings {
  readonly settings: Settings;
  /** The names of the secrets among them. */
  readonly secretSettings: string[];
}

/** Of whose settings, and with which keys. */
export interface SettingsOwner {
  readonly instanceId: string;
  readonly keys: SecretKeys;
}

/** What the value of a setting is bound to. */
export const settingPlace = (instanceId: string, name: string): string =>
  `instances/${instanceId}/settings/${name}`;

/** The settings, with each secret as `change` makes it. */
export function mapSecrets(
  { settings, secretSettings }: StoredSettings,
  change: (value: unknown, name: string) => unknown,
): Settings {
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      secretSettings.includes(name) ? change(value, name) : value,
    ]),
  );
}

/**
 * The settings in clear, for the runtime of the instance.
 *
 * @throws SecretError where one does not open
 */
export const openSettings = (
  stored: StoredSettings,
  { instanceId, keys }: SettingsOwner,
): Settings =>
  mapSecrets(stored, (value, name) => keys.open(value, settingPlace(instanceId, name)));

/**
 * The settings with the secrets sealed anew whose key `isDue`; in clear they have no key. One that cannot be
 * stays as it is, after `onError`.
 */
export function resealedSettings(
  stored: StoredSettings,
  { instanceId, keys }: SettingsOwner,
  {
    isDue,
    onError,
  }: { isDue(keyId: string | null): boolean; onError(name: string, error: unknown): void },
): Settings {
  return mapSecrets(stored, (value, name) => {
    if (!isDue(keyIdOf(value))) return value;
    const place = settingPlace(instanceId, name);
    try {
      return keys.seal(keys.open(value, place), place);
    } catch (error) {
      onError(name, error);
      return value;
    }
  });
}
