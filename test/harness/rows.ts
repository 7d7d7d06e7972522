/** Rows that tests need and no public function of the store makes by itself. */
import { randomUUID } from 'node:crypto';
import type { Database } from '../../src/store/database/database.ts';

/** An organization without anything; its id. */
export async function createOrganization(
  database: Database,
  key = `org-${randomUUID()}`,
): Promise<string> {
  const id = randomUUID();
  await database.query('insert into organizations (id, key, name) values ($1::uuid, $2, $2)', [
    id,
    key,
  ]);
  return id;
}

/** An operation of an instance that somebody requested and nobody works on; its id. */
export async function createOperation(
  database: Database,
  instanceId: string,
  { kind = 'DEPLOY_INSTANCE', status = 'QUEUED' } = {},
): Promise<string> {
  const id = randomUUID();
  await database.query(
    `insert into operations (id, organization_id, kind, status, resource_kind, instance_id,
       requested_by, created_at)
     select $1::uuid, organization_id, $3::text::operation_kind, $4::text::operation_status, 'INSTANCE',
       id, '{"kind":"USER","name":"test"}', now() from instances where id = $2::uuid`,
    [id, instanceId, kind, status],
  );
  return id;
}
