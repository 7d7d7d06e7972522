/** The rows of the log and the metered intervals that a change writes. Pure. */
import type { Change, HostUpdate, InstanceUpdate } from '../../lifecycle/change.ts';
import { hostMeter, instanceMeter } from '../../lifecycle/metering.ts';
import type { Meter } from '../../lifecycle/table-types.ts';
import type { Row } from './sql.ts';

interface MeterChange {
  /** Does the change close an interval? */
  readonly isOff: boolean;
  /** In the columns of the commit statement; `meter` is that of the interval which opens, or null. */
  readonly row: Row & { readonly meter: Meter | null };
}

/** The intervals that a change closes and opens. */
export function meterChanges(change: Change): MeterChange[] {
  return change.updates.flatMap(meterChange);
}

function meterChange(update: InstanceUpdate | HostUpdate): MeterChange[] {
  if (!update.to) return [];
  const [before, after] =
    update.kind === 'HOST'
      ? [hostMeter(update.from), hostMeter(update.to)]
      : [instanceMeter(update.from), instanceMeter(update.to as InstanceUpdate['from'])];
  if (before === after) return [];
  return [
    {
      isOff: before !== null,
      row: { id: update.id, resource: update.kind, sequence: update.sequence + 1, meter: after },
    },
  ];
}

/**
 * The rows of the log that a change appends: its transitions, then its other changes. The keys are
 * the columns of the commit statement; `by_…` is the cause.
 */
export function logRows(change: Change): Row[] {
  const rows: Record<string, unknown>[] = [];
  const shown = new Set<string | null>();
  const sequences = new Map<string, number>();
  const ordered = [...change.updates].sort(
    (a, b) => Number(b.kind === 'HOST') - Number(a.kind === 'HOST'),
  );
  for (const update of ordered) {
    const sequence = update.sequence + (update.to ? 1 : 0);
    sequences.set(update.id, sequence);
    const base = {
      resource: update.kind,
      id: update.id,
      sequence,
      operation_id: update.operationId,
      by_operation_id: update.causedBy?.operationId,
      by_resource_id: update.causedBy?.transition?.resourceId,
      by_sequence: update.causedBy?.transition?.sequence,
    };
    const also = (kind: string, details: object = {}) => rows.push({ ...base, kind, details });
    if (update.to) {
      shown.add(update.operationId);
      const [from, to] =
        update.kind === 'HOST' ? ['host_from', 'host_to'] : ['instance_from', 'instance_to'];
      rows.push({
        ...base,
        kind: 'TRANSITION',
        [from]: update.from,
        [to]: update.to,
        details: update.details,
      });
    }
    if (update.archive) also('ARCHIVED');
    if (update.kind === 'INSTANCE' && update.image) also('UPDATED');
    if (update.kind === 'HOST') {
      if (update.removing !== undefined) also('REMOVING', { removing: update.removing });
    } else {
      if (update.desired) also('DESIRED', { desired: update.desired });
      if (update.reachability && (!update.to || update.reachability.value === 'UNKNOWN')) {
        also('REACHABILITY', { reachability: update.reachability.value });
      }
    }
  }
  for (const operation of [...change.operations, ...change.begins]) {
    if (shown.has(operation.id)) continue;
    rows.push({
      kind: 'OPERATION',
      resource: operation.resource,
      id: operation.resourceId,
      sequence: sequences.get(operation.resourceId) ?? 0,
      operation_id: operation.id,
      details: { status: operation.status },
    });
  }
  return rows.map((row, place) => ({ ...row, place }));
}
