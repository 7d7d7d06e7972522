/**
 * Access keys: the administrator's token, single-use sign-in codes, sessions of browsers, keys of
 * runs. Only SHA-256 hashes are stored; the keys have 256 random bits, so that a hash is enough.
 */
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from './commit/store.ts';
import type { Database } from './database/database.ts';

/** Whom a verified key identifies. */
export type VerifiedKey =
  | {
      readonly kind: 'ADMIN' | 'SESSION';
      readonly organizationId: string;
      readonly accessKeyId: string;
      readonly name: string;
    }
  | {
      readonly kind: 'RUN';
      readonly organizationId: string;
      readonly accessKeyId: string;
      readonly name: string;
      readonly runId: string;
      readonly instanceId: string;
    };

export interface AccessKeys {
  /** Whom the token identifies; null if it is wrong, expired, revoked, or of an ended run. */
  verify(token: string): Promise<VerifiedKey | null>;
  /** Makes a code that signs one browser in as the administrator, once. */
  createSignInCode(): Promise<{ code: string; expiresAt: Date }>;
  /** Exchanges a code for a session, once. Null if the code is wrong, used or expired. */
  exchangeSignInCode(code: string): Promise<{ token: string; expiresAt: Date } | null>;
  /** Ends a session, or a run's key. */
  revoke(accessKeyId: string): Promise<void>;
  /** Which of these keys are still valid, in one query. */
  stillGood(accessKeyIds: readonly string[]): Promise<Set<string>>;
  /** Deletes keys that became invalid more than a day ago. */
  prune(): Promise<void>;
}

const signInCodeMinutes = 10;
export const sessionHours = 12;
const minTokenLength = 32;

/** The form of our keys; any other text is refused without a query. */
const ourKey = /^im[scr]_[A-Za-z0-9_-]{43}$/;

const newKey = (kind: 's' | 'c' | 'r') => `im${kind}_${randomBytes(32).toString('base64url')}`;
const sha256 = (text: string) => createHash('sha256').update(text).digest();
const hashOf = (text: string) => sha256(text).toString('hex');

/** SQL: the access key `k` is valid. A run's key is valid as long as its run. */
const KEY_IS_VALID = /* sql */ `
  k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
  and (k.kind <> 'RUN' or exists (select 1 from runs r where r.id = k.run_id and r.ended_at is null))`;

/** The organization that the first start created; created if it is missing. */
export async function ensureDefaultOrganization(database: Database): Promise<string> {
  await database.query(
    `insert into organizations (id, key, name) values ($1::uuid, 'default', 'Default organization')
     on conflict (key) do nothing`,
    [randomUUID()],
  );
  const [row] = await database.query<{ id: string }>(
    `select id from organizations where key = 'default'`,
  );
  return row!.id;
}

/**
 * The administrator's token: the configured one, else the one in the data directory, which the
 * first start creates with mode 600.
 */
export async function ensureAdminToken(options: {
  adminToken?: string;
  dataDir: string;
}): Promise<string> {
  if (options.adminToken) return options.adminToken;
  const file = join(options.dataDir, 'admin-token');
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  try {
    const token = `ima_${randomBytes(32).toString('base64url')}`;
    await writeFile(file, `${token}\n`, { flag: 'wx', mode: 0o600 });
    return token;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const token = (await readFile(file, 'utf8')).trim();
  if (token.length < minTokenLength)
    throw new Error(`${file} holds no token: delete it, and the next start makes another.`);
  await chmod(file, 0o600);
  return token;
}

/**
 * Opens the keys of all organizations. Each key belongs to the organization of its row; a new token of the
 * administrator belongs to the default one. Of the administrator's tokens, only the given one is valid.
 */
export async function openAccessKeys(store: Store, adminToken: string): Promise<AccessKeys> {
  const { database } = store;
  const adminHash = sha256(adminToken);
  const [adminRow] = await database.query<{ id: string; organizationId: string }>(
    `insert into access_keys (id, organization_id, kind, hash, name)
     values ($1::uuid, $2::uuid, 'ADMIN', $3, 'admin')
     on conflict (hash) do update set revoked_at = null
     returning id, organization_id as "organizationId"`,
    [randomUUID(), await ensureDefaultOrganization(database), adminHash.toString('hex')],
  );
  const { id: accessKeyId, organizationId } = adminRow!;
  const adminKey: VerifiedKey = { kind: 'ADMIN', organizationId, accessKeyId, name: 'admin' };

  return {
    async verify(token) {
      if (timingSafeEqual(sha256(token), adminHash)) return adminKey;
      if (!ourKey.test(token)) return null;
      const [key] = await database.query<KeyRow>(
        `select k.id, k.organization_id as "organizationId", k.kind, k.name,
                k.run_id as "runId", k.instance_id as "instanceId"
           from access_keys k
          where k.hash = $1 and k.kind in ('SESSION', 'RUN') and ${KEY_IS_VALID}`,
        [hashOf(token)],
      );
      return key ? verified(key) : null;
    },
    async createSignInCode() {
      const code = newKey('c');
      const [row] = await database.query<{ expiresAt: Date | string }>(
        `insert into access_keys (id, organization_id, kind, hash, name, expires_at)
         values ($1::uuid, $2::uuid, 'SIGN_IN_CODE', $3, 'admin',
                 clock_timestamp() + make_interval(mins => $4::int))
         returning expires_at as "expiresAt"`,
        [randomUUID(), organizationId, hashOf(code), signInCodeMinutes],
      );
      return { code, expiresAt: new Date(row!.expiresAt) };
    },
    async exchangeSignInCode(code) {
      if (!ourKey.test(code)) return null;
      const token = newKey('s');
      const [row] = await database.query<{ expiresAt: Date | string }>(
        `with code as (
           update access_keys k set revoked_at = clock_timestamp()
            where k.hash = $1 and k.kind = 'SIGN_IN_CODE' and ${KEY_IS_VALID}
           returning k.organization_id, k.name
         )
         insert into access_keys (id, organization_id, kind, hash, name, expires_at)
         select $2::uuid, organization_id, 'SESSION', $3, name,
                clock_timestamp() + make_interval(hours => $4::int)
           from code
         returning expires_at as "expiresAt"`,
        [hashOf(code), randomUUID(), hashOf(token), sessionHours],
      );
      return row ? { token, expiresAt: new Date(row.expiresAt) } : null;
    },
    async revoke(accessKeyId) {
      await database.query(
        `update access_keys set revoked_at = clock_timestamp()
          where id = $1::uuid and revoked_at is null`,
        [accessKeyId],
      );
    },
    async stillGood(accessKeyIds) {
      const rows = await database.query<{ id: string }>(
        `select k.id from access_keys k
          where k.id in (select value::uuid from json_array_elements_text($1::text::json))
            and ${KEY_IS_VALID}`,
        [JSON.stringify(accessKeyIds)],
      );
      return new Set(rows.map(({ id }) => id));
    },
    async prune() {
      await database.query(
        `delete from access_keys k
          where coalesce(k.revoked_at, k.expires_at) < clock_timestamp() - interval '1 day'
             or (k.kind = 'RUN' and k.created_at < clock_timestamp() - interval '1 day'
                 and not exists (select 1 from runs r where r.id = k.run_id
                   and (r.ended_at is null or r.ended_at > clock_timestamp() - interval '1 day')))`,
      );
    },
  };
}

/** Creates the key of one run, valid as long as the run. */
export async function createRunKey(
  store: Store,
  run: { organizationId: string; runId: string; instanceId: string },
): Promise<{ key: string }> {
  const key = newKey('r');
  await store.database.query(
    `insert into access_keys (id, organization_id, kind, hash, name, run_id, instance_id)
     values ($1::uuid, $2::uuid, 'RUN', $3, 'run', $4::uuid, $5::uuid)`,
    [randomUUID(), run.organizationId, hashOf(key), run.runId, run.instanceId],
  );
  return { key };
}

interface KeyRow {
  readonly id: string;
  readonly organizationId: string;
  readonly kind: 'SESSION' | 'RUN';
  readonly name: string;
  readonly runId: string | null;
  readonly instanceId: string | null;
}

function verified(row: KeyRow): VerifiedKey | null {
  const { id: accessKeyId, organizationId, kind, name, runId, instanceId } = row;
  if (kind === 'SESSION') return { kind, organizationId, accessKeyId, name };
  if (!runId || !instanceId) return null;
  return { kind, organizationId, accessKeyId, name, runId, instanceId };
}
