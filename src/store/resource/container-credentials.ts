/** Who the registry of a container repository is asked as. The password is sealed, and never shown. */
import { imageName } from '../../lifecycle/image-name.ts';
import type { Problems } from '../input/save-result.ts';
import { passwordPlace } from '../secret/container-repository.ts';
import { type Sealed, SecretError, type SecretKeys } from '../secret/keys.ts';
import type { containerRepositories } from '../table/schema.ts';

export interface ContainerCredentialsInput {
  username: string;
  /** Null in an update: that of before. */
  password?: string | null;
}

type Repository = typeof containerRepositories.$inferSelect;

interface CredentialColumns {
  username?: string | null;
  password?: Sealed | null;
}

/** The columns of an input; undefined: kept. Another registry never gets the password of this one. */
export function credentialColumns(
  problems: Problems,
  {
    keys,
    id,
    input,
    before,
    image,
  }: {
    keys: SecretKeys;
    id: string;
    input: ContainerCredentialsInput | null | undefined;
    before: Repository | null;
    image: string;
  },
): CredentialColumns {
  const isMoved = before !== null && imageName(before.image).registry !== imageName(image).registry;
  if (input === undefined) {
    if (isMoved && before.password) problems.issue('credentials', moved);
    return {};
  }
  if (input === null) return { username: null, password: null };
  const { username, password } = input;
  // A colon would end the name where both are sent.
  if (!/^[^:\p{Cc}\p{Surrogate}]{1,255}$/u.test(username)) {
    problems.issue(
      'credentials.username',
      'Give 1 to 255 characters, without colons and control characters.',
    );
  }
  const at = 'credentials.password';
  if (password == null) {
    if (!before?.password) problems.issue(at, 'There is none yet: give it.');
    else if (isMoved) problems.issue('credentials', moved);
    return { username };
  }
  // A token of a registry has some thousand characters.
  if (password === '' || password.length > 8192 || /[\p{Cc}\p{Surrogate}]/u.test(password)) {
    problems.issue(at, 'Give 1 to 8,192 characters, without control characters.');
    return {};
  }
  try {
    return { username, password: keys.seal(password, passwordPlace(id)) };
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    problems.issue(at, error.message);
    return {};
  }
}

const moved =
  'The image is in another registry now, which does not get the password of before: give it anew, or null.';
