/** Solutions, their versions, and which instances run which: as the API answers. */
import { request } from '../app/connection.ts';

export interface Version {
  readonly id: string;
  readonly version: string;
  readonly publishedAt: string;
}

export interface SolutionRow {
  readonly key: string;
  readonly name: string;
  readonly description: string | null;
  readonly latestVersion: Version | null;
  readonly versions: { readonly totalCount: number; readonly nodes: readonly Version[] };
  readonly instances: { readonly totalCount: number };
}

export interface SolutionNow extends SolutionRow {
  readonly version: number;
  readonly definition: unknown;
}

/** How many instances run a version, by its id. */
export type Runs = ReadonlyMap<string, number>;

const row = `key name description latestVersion { id version publishedAt }
  instances(first: 1) { totalCount }`;

/** Versions whose instances are counted by one request: the API takes 100 aliases. */
const mostCounted = 90;

export async function readSolutions(): Promise<{
  readonly solutions: readonly SolutionRow[];
  readonly total: number;
  readonly runs: Runs;
}> {
  const { solutions } = await request<{
    solutions: { totalCount: number; nodes: readonly SolutionRow[] };
  }>(
    `{ solutions(first: 200) { totalCount nodes { ${row}
        versions(first: 5) { totalCount nodes { id version publishedAt } } } } }`,
  );
  const versions = solutions.nodes.flatMap(({ versions: { nodes } }) => nodes);
  return {
    solutions: solutions.nodes,
    total: solutions.totalCount,
    runs: await countRuns(versions.slice(0, mostCounted)),
  };
}

async function countRuns(versions: readonly Version[]): Promise<Runs> {
  if (versions.length === 0) return new Map();
  const fields = versions.map(
    ({ id }, index) =>
      `v${index}: instances(first: 1, filter: { runsVersion: ["${id}"] }) { totalCount }`,
  );
  const data = await request<Record<string, { totalCount: number }>>(`{ ${fields.join('\n')} }`);
  return new Map(versions.map(({ id }, index) => [id, data[`v${index}`]?.totalCount ?? 0]));
}

/** A solution as it is now. */
export interface Read {
  readonly solution: SolutionNow;
  readonly runs: Runs;
}

export async function readSolution(key: string): Promise<Read | null> {
  const { solution } = await request<{ solution: SolutionNow | null }>(
    `query ($key: ID!) { solution(solution: $key) { ${row} version definition
      versions(first: 200) { totalCount nodes { id version publishedAt } } } }`,
    { key },
  );
  if (!solution) return null;
  return { solution, runs: await countRuns(solution.versions.nodes.slice(0, mostCounted)) };
}

/** The document of a version. */
export async function readDefinition(key: string, version: string): Promise<unknown> {
  const { solution } = await request<{
    solution: { versions: { nodes: readonly { definition: unknown }[] } } | null;
  }>(
    `query ($key: ID!, $version: [String!]) { solution(solution: $key) {
      versions(first: 1, filter: { version: $version }) { nodes { definition } } } }`,
    { key, version: [version] },
  );
  return solution?.versions.nodes[0]?.definition;
}

export interface InstanceOfSolution {
  readonly key: string;
  readonly stateName: string;
  readonly solutionVersion: { readonly version: string } | null;
  readonly run: {
    readonly endedAt: string | null;
    readonly solutionVersion: { readonly version: string } | null;
  } | null;
}

export interface InstancePage {
  readonly totalCount: number;
  readonly nodes: readonly InstanceOfSolution[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

export async function readInstances(key: string, after: string | null): Promise<InstancePage> {
  const { instances } = await request<{ instances: InstancePage }>(
    `query ($key: [ID!], $after: String) {
      instances(first: 200, after: $after, filter: { solution: $key }) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { key stateName solutionVersion { version }
          run { endedAt solutionVersion { version } } } } }`,
    { key: [key], after },
  );
  return instances;
}
