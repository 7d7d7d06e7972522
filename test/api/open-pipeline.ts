/** A store with its feed and the pipeline, and subscribers whose reading the test decides. */
import { randomUUID } from 'node:crypto';
import {
  defaultFieldResolver,
  type ExecutionResult,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLSchema,
} from 'graphql';
import { type Context, createLoaders } from '../../src/api/base/context.ts';
import { buildSchema } from '../../src/api/schema.ts';
import { createFeed, type Feed, type FeedOptions } from '../../src/feed/feed.ts';
import type { Pipeline } from '../../src/server/execution/pipeline.ts';
import type { NextFrames } from '../../src/server/wire/next-frames.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { eventually } from '../harness/eventually.ts';
import { type Api, type Data, openApi, type StoreKind } from './api.ts';
import { TestSubscriber, testPipeline } from './stream.ts';

/** A row of the log that a test has appended. */
export interface Appended {
  readonly cursor: string;
  readonly kind: 'TRANSITION' | 'UPDATED' | 'DESIRED';
  readonly resourceId: string;
}

/** Keeps all that it is sent; full whenever the test says so. */
export class Reader extends TestSubscriber {
  readonly frames: NextFrames[] = [];
  readonly received: Data[] = [];
  /** Writes that came although it was full. */
  pushedWhileFull = 0;
  /** Becomes full with this many more writes. */
  fullAfter = Number.POSITIVE_INFINITY;
  /** The end of it: null while it goes on. */
  over: { error?: unknown } | null = null;

  constructor() {
    super();
    this.onLeave(() => {
      this.over ??= {};
    });
  }

  override write(frames: NextFrames): void {
    if (this.full) this.pushedWhileFull += 1;
    this.frames.push(frames);
    for (const line of Buffer.from(frames.events).toString().split('\n'))
      if (line.startsWith('data: ')) this.received.push(JSON.parse(line.slice(6)));
    this.fullAfter -= 1;
    if (this.fullAfter <= 0) {
      this.full = true;
      this.fullAfter = Number.POSITIVE_INFINITY;
    }
  }

  override end(error?: unknown): void {
    this.over ??= error === undefined ? {} : { error: this.mask(error) };
    super.end(error);
  }

  /** The cursors of what came. */
  get cursors(): string[] {
    return this.received.map(({ extensions }) => extensions?.cursor);
  }

  /** The first field of each result. */
  get values(): Data[] {
    return this.received.map(({ data }) => Object.values(data as Data)[0] as Data);
  }

  /** Until so many have come. */
  async has(count: number): Promise<Data[]> {
    await eventually(() => {
      if (this.received.length < count)
        throw new Error(`${this.received.length} of ${count} have come`);
    });
    return this.values;
  }

  async isEnded(): Promise<{ error?: unknown }> {
    return eventually(() => {
      if (!this.over) throw new Error('It goes on.');
      return this.over;
    });
  }
}

export interface OpenPipeline {
  readonly api: Api;
  readonly feed: Feed;
  readonly schema: GraphQLSchema;
  readonly pipeline: Pipeline;
  /** How often the moment of a `ResourceChange` was asked for: once in each rendering of one. */
  readonly renderings: () => number;
  /** Ids of the sample data. */
  readonly instanceId: string;
  /** One revision with so many rows; they are decided, but maybe not read yet. */
  append(row?: Partial<Omit<Appended, 'cursor'>> & AppendOptions): Promise<Appended[]>;
  /** Subscribes; throws what is refused. */
  join(query: string, variables?: Data, options?: JoinOptions): Promise<Reader>;
  close(): Promise<void>;
}

interface AppendOptions {
  readonly count?: number;
  readonly organizationId?: string;
}

interface JoinOptions {
  readonly reader?: Reader;
  readonly organizationId?: string;
  readonly accessKeyId?: string;
  readonly signal?: AbortSignal;
}

const append = /* sql */ `
insert into log (revision, place, organization_id, kind, resource_kind, resource_id, sequence,
                 instance_from, instance_to, at, actor)
select r.revision, n - 1, $2::uuid, $4::change_kind, 'INSTANCE', $3::uuid, $5::int + n,
       case when $4 = 'TRANSITION' then (array['STARTING_RUNTIME', 'OFFLINE'])[1 + ($5::int + n) % 2]::instance_state end,
       case when $4 = 'TRANSITION' then (array['OFFLINE', 'STARTING_RUNTIME'])[1 + ($5::int + n) % 2]::instance_state end,
       clock_timestamp(), '{"kind":"USER","name":"test"}'
  from (select nextval('log_revisions') as revision) r, generate_series(1, $1::int) n
returning revision`;

export async function openPipeline(
  kind: StoreKind,
  options: FeedOptions = {},
): Promise<OpenPipeline> {
  const api = await openApi(kind, { schema: buildSchema() }); // Changed below.
  await createSampleData(api.store, api.organizationId);
  const feed = createFeed(api.store, options);
  await feed.start();
  let renderings = 0;
  /** Of each resource; the history of one has no holes. */
  const sequences = new Map<string, number>();
  const { schema } = api;
  const { at } = (schema.getType('ResourceChange') as GraphQLObjectType).getFields();
  const resolve: GraphQLFieldResolver<unknown, unknown> = at?.resolve ?? defaultFieldResolver;
  Object.assign(at ?? {}, {
    resolve: ((...given) => {
      renderings += 1;
      return resolve(...given);
    }) satisfies typeof resolve,
  });
  const pipeline = testPipeline(
    schema,
    (): Context => ({ ...api.context(), feed, loaders: createLoaders() }),
  );
  const [row] = await api.store.database.query<{ id: string }>('select id from instances');
  const instanceId = row?.id ?? '';
  return {
    api,
    feed,
    schema,
    pipeline,
    renderings: () => renderings,
    instanceId,
    async append({ count = 1, organizationId = api.organizationId, ...rest } = {}) {
      const { kind = 'UPDATED', resourceId = instanceId } = rest;
      const sequence = sequences.get(resourceId) ?? 0;
      if (kind === 'TRANSITION') sequences.set(resourceId, sequence + count);
      const values = [count, organizationId, resourceId, kind, sequence];
      const [made] = await api.store.database.query<{ revision: number }>(append, values);
      const revision = Number(made?.revision);
      api.store.committed({ revision, work: false });
      return Array.from({ length: count }, (_, place) => ({
        cursor: feed.cursorOf(organizationId, { revision, place }),
        ...{ kind, resourceId },
      }));
    },
    async join(query, variables = {}, options = {}) {
      const { reader = new Reader(), organizationId = api.organizationId } = options;
      const { accessKeyId = organizationId, signal = new AbortController().signal } = options;
      const viewer: Context['viewer'] = {
        kind: 'ADMIN',
        ...{ organizationId, accessKeyId, name: 'tester' },
      };
      const result = await pipeline.run(
        { query, variables },
        {
          ...{ viewer, subscriber: reader, requestId: randomUUID(), signal },
          ...{ transport: 'WEBSOCKET', method: 'SOCKET', lastEventId: null },
        },
      );
      if (result !== reader)
        throw (result as ExecutionResult).errors?.[0] ?? new Error('It is not shared.');
      return reader;
    },
    async close() {
      await feed.stop();
      await api.close();
    },
  };
}
