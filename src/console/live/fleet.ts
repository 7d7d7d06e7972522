/**
 * All instances and hosts, live: pages of a snapshot, then the changes. It begins with the first view that
 * opens it and goes on behind other views, so that going back shows the fleet at once.
 */
import { signal } from '@preact/signals';
import { type Reset, StreamError, type StreamEvent } from '../../client/client.ts';
import { client } from '../app/connection.ts';
import { keepOpen } from '../resource/keep-open.ts';
import { type Answer, hostFields, instanceFields, type Row, rowOf } from './row.ts';

export type Load =
  | { readonly status: 'LOADING'; readonly loaded: number; readonly total: number | null }
  | { readonly status: 'LIVE' }
  | { readonly status: 'FAILED'; readonly message: string };

export const load = signal<Load>({ status: 'LOADING', loaded: 0, total: null });
/** Grows when rows have changed. */
export const revision = signal(0);

let rows = new Map<string, Row>();
/** By id. The caller reads `revision`. */
export const fleetRows = (): ReadonlyMap<string, Row> => rows;

const pageSize = 200;
/** Small, so that the first rows are soon there. */
const firstPageSize = 50;
/** Changes are shown together, so often at most, and with the next frame of the screen. */
const redrawMilliseconds = 100;
const pageAttempts = 5;

const page = /* GraphQL */ `nodes { ...InstanceRow } totalCount pageInfo { hasNextPage endCursor }`;
const hostPage = page.replace('InstanceRow', 'HostRow');
/**
 * Errors are read first. A row that leaves its place while the pages are read is not lost: its change comes
 * behind `feedPosition`, with the whole row.
 */
const order = 'orderBy: { field: STATE, direction: DESC }';
const snapshotQuery = /* GraphQL */ `
  query FleetRows {
    feedPosition
    instances(first: ${firstPageSize}, ${order}) { ${page} }
    hosts(first: ${firstPageSize}, ${order}) { ${hostPage} }
  }
  ${instanceFields} ${hostFields}`;
const instancesQuery = /* GraphQL */ `
  query MoreInstances($after: String) {
    page: instances(first: ${pageSize}, after: $after, ${order}) { ${page} }
  }
  ${instanceFields}`;
const hostsQuery = /* GraphQL */ `
  query MoreHosts($after: String) { page: hosts(first: ${pageSize}, after: $after, ${order}) { ${hostPage} } }
  ${hostFields}`;
const changesQuery = /* GraphQL */ `
  subscription FleetChanges($after: Cursor) {
    changes(after: $after, delivery: LATEST_PER_RESOURCE) {
      __typename
      ... on InstanceTransition { at instance { ...InstanceRow } }
      ... on HostTransition { at host { ...HostRow } }
      ... on ResourceChange { at kind resource { ...InstanceRow ...HostRow } }
      ... on Bookmark { leftOut }
    }
  }
  ${instanceFields} ${hostFields}`;

interface Page {
  readonly nodes: readonly Answer[];
  readonly totalCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}
interface Snapshot {
  readonly instances: Page;
  readonly hosts: Page;
}
interface Change {
  readonly changes: {
    readonly kind?: string;
    readonly instance?: Answer;
    readonly host?: Answer;
    readonly resource?: Answer;
  };
}

let isOpen = false;

/** Begins, once. */
export function openFleet(): void {
  if (isOpen) return;
  isOpen = true;
  keepOpen<Change, Snapshot>(
    { query: changesQuery, snapshot: { query: snapshotQuery }, onReset },
    take,
    (message) => {
      load.value = { status: 'FAILED', message };
    },
  );
}

const isPassing = (error: Error): boolean =>
  error instanceof StreamError && ['UNAVAILABLE', 'INTERNAL', 'RATE_LIMITED'].includes(error.code);

/** Reads all pages. The first time rows are shown as they come; afterwards the old ones stay until the end. */
async function onReset({ data }: Reset<Snapshot>): Promise<void> {
  const fresh = new Map<string, Row>();
  const isFirst = rows.size === 0;
  if (isFirst) rows = fresh;
  const total = data.instances.totalCount + data.hosts.totalCount;
  const add = ({ nodes }: Page): void => {
    for (const node of nodes) put(fresh, node);
    load.value = { status: 'LOADING', loaded: fresh.size, total };
    if (isFirst) redraw();
  };
  await Promise.all([
    readPages(data.instances, instancesQuery, add),
    readPages(data.hosts, hostsQuery, add),
  ]);
  rows = fresh;
  load.value = { status: 'LIVE' };
  redraw();
}

async function readPages(first: Page, query: string, add: (page: Page) => void): Promise<void> {
  for (let at = first; ; ) {
    add(at);
    if (!at.pageInfo.hasNextPage) return;
    at = await readPage(query, at.pageInfo.endCursor);
  }
}

async function readPage(query: string, after: string | null): Promise<Page> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await client.query<{ page: Page }>({ query, variables: { after } })).page;
    } catch (error) {
      if (attempt === pageAttempts || !isPassing(error as Error)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
  }
}

function take({ data }: StreamEvent<Change>): void {
  const change = data?.changes;
  const answer = change?.instance ?? change?.host ?? change?.resource;
  // A container repository has neither row.
  if (!answer?.id) return;
  if (change?.kind === 'ARCHIVED' || answer.archivedAt) rows.delete(answer.id);
  else put(rows, answer);
  redraw();
}

/** An older answer never replaces a newer row. */
function put(into: Map<string, Row>, answer: Answer): void {
  const known = into.get(answer.id);
  if (!known || answer.sequence >= known.sequence) into.set(answer.id, rowOf(answer));
}

let isDue = false;
let drawnAt = 0;

/** A window that is not seen has no frames: it is drawn when it is seen again. */
function redraw(): void {
  if (isDue) return;
  isDue = true;
  const draw = (): void => {
    isDue = false;
    drawnAt = performance.now();
    revision.value += 1;
  };
  const wait = drawnAt + redrawMilliseconds - performance.now();
  setTimeout(() => requestAnimationFrame(draw), Math.max(0, wait));
}
