/** Counts the fleet by state, in one statement. */
import { type SQL, sql } from 'drizzle-orm';
import { unionAll } from 'drizzle-orm/pg-core';
import type { HostState } from '../../lifecycle/host.ts';
import type { InstanceState } from '../../lifecycle/instance.ts';
import type { Store } from '../commit/store.ts';
import { hosts, instances } from '../table/schema.ts';
import { active } from '../table/state-sets.ts';

export interface FleetCounts {
  readonly instances: ReadonlyMap<InstanceState, number>;
  readonly hosts: ReadonlyMap<HostState, number>;
  readonly unreachable: number;
  readonly converged: number;
  /** By the clock of the database. */
  readonly at: Date;
}

const isUnreachable = sql`${instances.reachability} = 'UNKNOWN'`;
/** As `isConverged` of lifecycle/instance.ts says. */
const isConverged = sql`((${instances.state}::text = ${instances.desired}::text
    or (${instances.desired} = 'STOPPED' and ${instances.state} = 'OFFLINE'))
  and not exists (select from operations active
                   where active.instance_id = ${instances.id} and active.status in ${sql.raw(active)}))`;

/** Counts the matching instances and hosts. Counts that are not requested are left out. */
export async function countFleet(
  store: Store,
  where: { instances: SQL | undefined; hosts: SQL | undefined },
): Promise<FleetCounts> {
  const { drizzle } = store.database;
  const rows = await unionAll(
    drizzle
      .select({
        kind: sql<string>`'INSTANCE'`.as('kind'),
        state: sql<string>`${instances.state}::text`.as('state'),
        count: integer(sql`count(*)`, 'count'),
        unreachable: integer(sql`count(*) filter (where ${isUnreachable})`, 'unreachable'),
        converged: integer(sql`count(*) filter (where ${isConverged})`, 'converged'),
        at: sql<string | null>`null::timestamptz`.as('at'),
      })
      .from(instances)
      .where(where.instances)
      .groupBy(instances.state),
    drizzle
      .select({
        kind: sql<string>`'HOST'`.as('kind'),
        state: sql<string>`${hosts.state}::text`.as('state'),
        count: integer(sql`count(*)`, 'count'),
        unreachable: integer(sql`0`, 'unreachable'),
        converged: integer(sql`0`, 'converged'),
        at: sql<string | null>`null::timestamptz`.as('at'),
      })
      .from(hosts)
      .where(where.hosts)
      .groupBy(hosts.state),
    // A row of its own, because there may be no others.
    drizzle
      .select({
        kind: sql<string>`'CLOCK'`.as('kind'),
        state: sql<string>`''`.as('state'),
        count: integer(sql`0`, 'count'),
        unreachable: integer(sql`0`, 'unreachable'),
        converged: integer(sql`0`, 'converged'),
        at: sql<string | null>`clock_timestamp()`.as('at'),
      })
      .from(sql`(select 1) clock`),
  );
  const countsOf = <State extends string>(kind: string) =>
    new Map(rows.filter((row) => row.kind === kind).map((row) => [row.state as State, row.count]));
  const sum = (of: 'unreachable' | 'converged') => rows.reduce((total, row) => total + row[of], 0);
  return {
    instances: countsOf<InstanceState>('INSTANCE'),
    hosts: countsOf<HostState>('HOST'),
    unreachable: sum('unreachable'),
    converged: sum('converged'),
    at: new Date(rows.find((row) => row.at)?.at ?? 0),
  };
}

function integer(expression: SQL, name: string) {
  return sql<number>`(${expression})::integer`.mapWith(Number).as(name);
}
