/** Filter and order of lists of instances. */
import type { InputRef } from '@pothos/core';
import { type Column, eq, type SQL, sql } from 'drizzle-orm';
import type {
  DesiredInstanceState as DesiredStateName,
  InstanceState as InstanceStateName,
} from '../../lifecycle/instance.ts';
import { active } from '../../store/table/state-sets.ts';
import type { Edition as EditionName } from '../../store/table/values.ts';
import { builder } from '../base/builder.ts';
import { DesiredInstanceState, Edition, InstanceState, Reachability } from '../base/enums.ts';
import { anyNamed, isUuid, referenceOf } from '../base/ids.ts';
import type { Where } from '../base/reads.ts';
import {
  allOf,
  anyOf,
  type ResourceFilter,
  resourceFilterFields,
  resources,
} from '../list/filters.ts';
import { type LabelFilterShape, labelled } from '../list/labels.ts';
import { resourceOrder } from '../list/order.ts';
import { LabelFilter } from './node.ts';

export interface InstanceFilterShape extends ResourceFilter {
  state?: readonly InstanceStateName[] | null;
  desiredState?: readonly DesiredStateName[] | null;
  converged?: boolean | null;
  reachability?: readonly ('OK' | 'UNKNOWN')[] | null;
  edition?: readonly EditionName[] | null;
  host?: readonly string[] | null;
  solution?: readonly string[] | null;
  runsVersion?: readonly string[] | null;
  billingSubscription?: readonly string[] | null;
  label?: readonly LabelFilterShape[] | null;
}

export const InstanceFilter: InputRef<InstanceFilterShape> = builder.inputType('InstanceFilter', {
  fields: (t) => ({
    state: t.field({ type: [InstanceState] }),
    desiredState: t.field({ type: [DesiredInstanceState] }),
    converged: t.boolean(),
    reachability: t.field({ type: [Reachability] }),
    edition: t.field({ type: [Edition] }),
    host: t.idList(),
    solution: t.idList(),
    runsVersion: t.idList(),
    billingSubscription: t.idList(),
    label: t.field({ type: [LabelFilter] }),
    ...resourceFilterFields(t),
  }),
});

interface InstanceColumns {
  readonly id: Column;
  readonly state: Column;
  readonly desired: Column;
}

/** `isConverged` of lifecycle/, as a condition of a query. */
function converged({ id, state, desired }: InstanceColumns): SQL {
  return sql`((${state}::text = ${desired}::text
      or (${state}::text = 'OFFLINE' and ${desired}::text = 'STOPPED'))
    and not exists (select from operations o
      where o.instance_id = ${id} and o.status in ${sql.raw(active)}))`;
}

function convergence(wanted: boolean | null | undefined): Where {
  if (wanted == null) return {};
  return { RAW: (table: InstanceColumns) => eq(converged(table), wanted) };
}

const related = (relation: string, type: string, ids: readonly string[] | null | undefined) =>
  ids ? { [relation]: anyNamed(type, ids) } : {};

function running(versions: readonly string[] | null | undefined): Where {
  if (!versions) return {};
  const ids = versions.map((id) => referenceOf('SolutionVersion', id)).filter(isUuid);
  return { run: { solutionVersionId: { in: ids }, endedAt: { isNull: true } } };
}

export const instanceOrder = resourceOrder('Instance');

/** The instances that match. */
export function instancesWhere(filter: InstanceFilterShape | null | undefined): Where {
  return allOf(
    resources(filter),
    anyOf('state', filter?.state),
    anyOf('desired', filter?.desiredState),
    convergence(filter?.converged),
    anyOf('reachability', filter?.reachability),
    anyOf('edition', filter?.edition),
    related('host', 'Host', filter?.host),
    related('solution', 'Solution', filter?.solution),
    running(filter?.runsVersion),
    related('subscription', 'BillingSubscription', filter?.billingSubscription),
    ...labelled(filter?.label),
  );
}
