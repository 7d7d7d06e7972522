/** The password of a container repository. */
import type { Sealed, SecretKeys } from './keys.ts';

/** What it is bound to. */
export const passwordPlace = (id: string): string => `container_repositories/${id}/password`;

/** Who a registry is asked as. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** The credentials in a row; null: it has none. @throws SecretError where the password does not open */
export function openCredentials(
  keys: SecretKeys,
  row: {
    readonly id: string;
    readonly username: string | null;
    readonly password: Sealed | null;
  },
): RegistryCredentials | null {
  const { id, username, password } = row;
  if (!username || !password) return null;
  return { username, password: String(keys.open(password, passwordPlace(id))) };
}
