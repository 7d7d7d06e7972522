/** A commit that publishes its rows: the log rows, as a read of the log returns them. */
import type { Change } from '../../lifecycle/change.ts';
import { validEpochSql } from '../log/epoch.ts';
import type { LogRow } from '../log/log.ts';
import { payloadOfCommit } from '../log/notification.ts';
import type { PublishTarget } from '../log/notifier.ts';
import { type Row, raw, type Sql, sql } from './sql.ts';

interface Logged {
  /** In the columns of the commit's statement. */
  readonly rows: readonly Row[];
  readonly change: Change;
  readonly organizationId: string;
  /** The revision that the statement draws. */
  readonly revision: Sql;
}

const epoch = raw(validEpochSql('POSTGRES'));

/**
 * One more result column, with its leading comma, that sends the NOTIFY. Null if the commit must not
 * publish, has no log rows, or has more than fit. In a store that may have gone back in time the payload is
 * empty, which means that anything may be new.
 */
export function notifyColumn(publishTo: PublishTarget | null, logged: Logged): Sql | null {
  const { rows, change, organizationId, revision } = logged;
  if (!publishTo || rows.length === 0) return null;
  const payload = payloadOfCommit(
    publishTo.node,
    rows.map((row) => loggedRow(row, change, organizationId)),
  );
  if (payload === null) return null;
  return sql`, pg_notify(${publishTo.channel}::text, ${payload}::text
    || '"revision":' || ${revision} || ',"at":' || extract(epoch from ok.at) * 1000
    || ',"epoch":"' || (select ${epoch} from store_identity where id = 1) || '"}')`;
}

/** A log row without the columns that its commit decides. */
type Undecided = Omit<LogRow, 'revision' | 'at'>;

function loggedRow(row: Row, { actor }: Change, organizationId: string): Undecided {
  return {
    place: row.place,
    organizationId,
    kind: row.kind,
    resourceKind: row.resource,
    resourceId: row.id,
    sequence: row.sequence,
    from: row.instance_from ?? row.host_from ?? null,
    to: row.instance_to ?? row.host_to ?? null,
    operationId: row.operation_id ?? null,
    causedByOperationId: row.by_operation_id ?? null,
    causedByResourceId: row.by_resource_id ?? null,
    causedBySequence: row.by_sequence ?? null,
    actor,
    details: row.details,
  } satisfies Record<keyof Undecided, unknown> as Undecided;
}
