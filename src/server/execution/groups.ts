/**
 * Equal subscriptions form a group, which is executed and serialized once per event. They are equal
 * if they have the same document and variables, without the cursor, and their viewers belong to one
 * organization.
 */
import {
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getArgumentValues,
  getVariableValues,
  Kind,
  locatedError,
  type OperationDefinitionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { asGraphQLError } from '../../api/base/graphql-stream.ts';
import { scopeOf } from '../../api/base/reads.ts';
import type { ChannelSource } from '../../feed/channel/channel-source.ts';
import { createGroup, type Group } from '../../feed/group/group.ts';
import type { Outlet } from '../../feed/group/member.ts';
import {
  createCacheBudget,
  createRenderCache,
  type RenderCache,
} from '../../feed/group/render-cache.ts';
import type { LogPosition } from '../../store/log/log.ts';
import { NextFrames, type Payload } from '../wire/next-frames.ts';
import type { Subscriber } from '../wire/subscriber.ts';
import type { Prepared, Requester } from './request.ts';

export interface GroupsOptions {
  readonly schema: GraphQLSchema;
  /** Runs the subscribe resolver of an operation. */
  readonly open: (prepared: Prepared) => Promise<ChannelSource | ExecutionResult>;
  /** Renders the events of an operation for its subscribers. */
  readonly renderer: (prepared: Prepared) => (rootValue: unknown) => Payload | Promise<Payload>;
}

export interface Groups {
  /** Adds a subscriber to the group of its operation. Returns a result if that has errors. */
  join(prepared: Prepared, subscriber: Subscriber): Promise<ExecutionResult | null>;
}

interface Established {
  readonly group: Group<NextFrames>;
  readonly source: ChannelSource;
}

interface Entry {
  readonly established: Promise<Established | ExecutionResult>;
}

/** Rendered events that a node keeps for lagging and returning subscribers. */
const cacheBytes = 32 * 1024 * 1024;

/**
 * A requester without what belongs to the first subscriber alone, which may leave before the others.
 */
function requesterOfGroup({ viewer, requestId, transport, method }: Requester): Requester {
  const { signal } = new AbortController();
  return { viewer, requestId, transport, method, lastEventId: null, signal };
}

/** Renderings kept for later groups; a longer document with its variables is not kept. */
const maxRenderCaches = 1000;
const maxCachedCharacters = 50_000;

/** Includes the overhead of the frame and of the event. */
const sizeOf = ({ json }: Payload): number => 1000 + json.length;

/** Does the field of the subscription return a channel? */
export function isShared({ schema, document, operation }: Prepared): boolean {
  const { name } = rootField(document, operation);
  return schema.getSubscriptionType()?.getFields()[name.value]?.extensions.isShared === true;
}

export function createGroups({ schema, open, renderer }: GroupsOptions): Groups {
  const entries = new Map<string, Entry>();
  const budget = createCacheBudget(cacheBytes);
  /** Groups that select different events but render them equally share one rendering. */
  const renderCaches = new LRUCache<string, RenderCache<LogPosition, Payload>>({
    max: maxRenderCaches,
  });

  function forget(key: string, entry: Entry): void {
    if (entries.get(key) === entry) entries.delete(key);
  }

  function entryOf(prepared: Prepared): Entry {
    const key = keyOf(prepared);
    const known = entries.get(key);
    if (known) return known;
    const established = establish(prepared, () => forget(key, entry));
    const entry: Entry = { established };
    entries.set(key, entry);
    established.then(
      (made) => {
        if (!('group' in made)) forget(key, entry);
      },
      () => forget(key, entry),
    );
    return entry;
  }

  async function establish(
    prepared: Prepared,
    onEmpty: () => void,
  ): Promise<Established | ExecutionResult> {
    const shared = {
      ...prepared,
      contextValue: null,
      requester: requesterOfGroup(prepared.requester),
    };
    const source = await open(shared);
    if (!('options' in source)) return source;
    const { channel, rootOf, bookmarkSeconds, latestBy } = source.options;
    const key = source.options.isOfLog ? resultKeyOf(prepared) : null;
    const known = key === null ? undefined : renderCaches.get(key);
    const renderCache = known ?? newRenderCache(shared, rootOf);
    if (key !== null && keyOf(prepared).length <= maxCachedCharacters)
      renderCaches.set(key, renderCache);
    const group = createGroup<LogPosition, Payload, NextFrames>({
      ...{ channel, renderCache, bookmarkSeconds, latestBy, sizeOf },
      compose: (payloads) => new NextFrames(payloads),
      onEmpty,
    });
    return { group, source };
  }

  function newRenderCache(prepared: Prepared, rootOf: (item: LogPosition) => unknown) {
    const render = renderer(prepared);
    return createRenderCache<LogPosition, Payload>({
      ...{ budget, sizeOf },
      isCacheable: (item, { hasErrors }) =>
        !hasErrors && ('isFromRing' in item ? item.isFromRing === true : true),
      render: (item) => render(rootOf(item)),
    });
  }

  return {
    async join(prepared, subscriber) {
      const { schema, operation, document, variableValues } = prepared;
      const definitions = operation.variableDefinitions ?? [];
      const { coerced, errors } = getVariableValues(schema, definitions, variableValues ?? {});
      if (errors) return { errors };
      const field = rootField(document, operation);
      const refused = (error: unknown) => {
        const path = [field.alias?.value ?? field.name.value];
        return { errors: [locatedError(asGraphQLError(error), [field], path)] };
      };
      // A refused subscription may have been requested before the resource that it names existed.
      await entries.get(keyOf(prepared))?.established.catch(() => null);
      for (;;) {
        const entry = entryOf(prepared);
        const made = await entry.established;
        if (!('group' in made)) return made;
        try {
          const { beginning } = made.source.options;
          const args = argumentsOf(field, coerced);
          const from = (await beginning?.(args, prepared.requester.lastEventId)) ?? {};
          const { isOfStates } = made.source.options.channel;
          const outlet = isOfStates ? withoutRepeats(subscriber) : subscriber;
          if (await made.group.join(outlet, from)) return null;
          forget(keyOf(prepared), entry);
        } catch (error) {
          if (made.group.isEmpty) forget(keyOf(prepared), entry);
          return refused(error);
        }
      }
    },
  };

  function argumentsOf(field: FieldNode, variables: Record<string, unknown>) {
    const definition = schema.getSubscriptionType()?.getFields()[field.name.value];
    if (!definition) throw new GraphQLError(`There is no subscription ${field.name.value}.`);
    return getArgumentValues(definition, field, variables);
  }
}

/** An outlet of states: one whose selection is as in the state before it is not written. */
function withoutRepeats(outlet: Outlet<NextFrames>): Outlet<NextFrames> {
  let shown = '';
  return {
    isFull: () => outlet.isFull(),
    write(frames) {
      const changed = frames.payloads.filter(({ content }) => {
        const isRepeat = content === shown;
        shown = content;
        return !isRepeat;
      });
      if (changed.length === frames.payloads.length) outlet.write(frames);
      else if (changed.length > 0) outlet.write(new NextFrames(changed));
    },
    onDrain: (call) => outlet.onDrain(call),
    end: (error) => outlet.end(error),
    onLeave: (call) => outlet.onLeave(call),
  };
}

function keyOf({
  requester,
  document,
  operation,
  operationName,
  variableValues,
}: Prepared): string {
  const cursor = cursorVariable(document, operation);
  const variables = Object.entries(variableValues ?? {})
    .filter(([name]) => name !== cursor)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const text = document.loc?.source.body ?? '';
  return JSON.stringify([scopeOf(requester.viewer), operationName ?? null, variables, text]);
}

/**
 * The key of a rendering: what results depend on besides the event. Variables that are used only in
 * arguments of the subscription select events, so they are left out.
 */
function resultKeyOf(prepared: Prepared): string {
  const { requester, document, operation, operationName } = prepared;
  const field = rootField(document, operation);
  let variablesOnlySelect = true;
  visit(document, {
    VariableDefinition: () => false,
    Argument: (_node, _key, parent) => (parent === field.arguments ? false : undefined),
    Variable() {
      variablesOnlySelect = false;
    },
  });
  const text = document.loc?.source.body ?? '';
  return variablesOnlySelect
    ? JSON.stringify([scopeOf(requester.viewer), operationName ?? null, text])
    : keyOf(prepared);
}

const cursorVariables = new WeakMap<OperationDefinitionNode, string | null>();

/** The variable that is the argument `after` of the subscription and is used nowhere else. */
function cursorVariable(document: DocumentNode, operation: OperationDefinitionNode): string | null {
  const known = cursorVariables.get(operation);
  if (known !== undefined) return known;
  const after = rootField(document, operation).arguments?.find(
    ({ name }) => name.value === 'after',
  );
  const name = after?.value.kind === Kind.VARIABLE ? after.value.name.value : null;
  let uses = 0;
  visit(document, {
    VariableDefinition: () => false,
    Variable(node) {
      if (node.name.value === name) uses += 1;
    },
  });
  const found = uses === 1 ? name : null;
  cursorVariables.set(operation, found);
  return found;
}

/** Validation guarantees that there is one, possibly within fragments. */
function rootField(document: DocumentNode, operation: OperationDefinitionNode): FieldNode {
  const inSelections = ({ selections }: SelectionSetNode): FieldNode | null => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) return selection;
      const inner =
        selection.kind === Kind.INLINE_FRAGMENT
          ? selection.selectionSet
          : document.definitions.find(
              (each) =>
                each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === selection.name.value,
            );
      const found =
        inner && 'selections' in inner
          ? inSelections(inner)
          : inner && 'selectionSet' in inner && inner.selectionSet
            ? inSelections(inner.selectionSet)
            : null;
      if (found) return found;
    }
    return null;
  };
  const field = inSelections(operation.selectionSet);
  if (!field) throw new GraphQLError('The subscription selects no field.');
  return field;
}
