/** `viewer` and `server`: who sends the request, and what this server is and allows. */
import { builder } from '../base/builder.ts';
import type { ServerFacts } from '../base/context.ts';
import { globalId } from '../base/ids.ts';
import type { ServerLimits } from '../base/limits.ts';
import { readsOf } from '../base/reads.ts';
import type { Viewer as ViewerShape } from '../base/viewer.ts';

const Organization = builder.drizzleObject('organizations', {
  name: 'Organization',
  fields: (t) => ({
    id: t.id({ resolve: ({ id }) => globalId('Organization', id) }),
    key: t.exposeString('key'),
    name: t.exposeString('name'),
  }),
});

const ViewerKind = builder.enumType('ViewerKind', { values: ['TOKEN', 'SESSION'] as const });

const Viewer = builder.objectRef<ViewerShape>('Viewer').implement({
  fields: (t) => ({
    organization: t.drizzleField({
      type: Organization,
      resolve: async (query, _viewer, _args, context) =>
        (await readsOf(context, 'organizations').findFirst(query({})))!,
    }),
    kind: t.field({
      type: ViewerKind,
      resolve: ({ kind }) => (kind === 'SESSION' ? 'SESSION' : 'TOKEN'),
    }),
    name: t.exposeString('name'),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      resolve: async (_viewer, _args, context) =>
        (await readsOf(context, 'accessKeys').findFirst())?.expiresAt ?? null,
    }),
  }),
});

const Limits = builder.objectRef<ServerLimits>('ServerLimits').implement({
  fields: (t) => ({
    pageSize: t.exposeInt('pageSize'),
    waitSeconds: t.exposeInt('waitSeconds'),
    mutationsPerDocument: t.exposeInt('mutationsPerDocument'),
    operationsPerSocket: t.exposeInt('operationsPerSocket'),
    waitersPerToken: t.exposeInt('waitersPerToken'),
    payloadBytes: t.exposeInt('payloadBytes'),
    depth: t.exposeInt('depth'),
    aliases: t.exposeInt('aliases'),
    tokens: t.exposeInt('tokens'),
    complexity: t.exposeInt('complexity'),
    idempotencyHours: t.exposeInt('idempotencyHours'),
  }),
});

const Server = builder.objectRef<ServerFacts>('Server').implement({
  fields: (t) => ({
    version: t.exposeString('version'),
    schemaVersion: t.exposeInt('schemaVersion'),
    dnsZone: t.string({ resolve: (_server, _args, { store }) => store.dnsZone }),
    limits: t.expose('limits', { type: Limits }),
  }),
});

builder.queryFields((t) => ({
  viewer: t.field({
    type: Viewer,
    nullable: true,
    resolve: (_root, _args, { viewer }) => viewer,
  }),
  server: t.field({
    type: Server,
    nullable: true,
    resolve: (_root, _args, { server }) => server,
  }),
}));
