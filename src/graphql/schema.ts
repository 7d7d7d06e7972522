/** The schema of the API, built from one file per entity. `schema/*.graphql` is its contract. */
import type { GraphQLSchema } from 'graphql';
import { loadSchemaSdl } from '../../schema/load.ts';
import { builder } from './builder.ts';
import { copyDescriptions } from './descriptions.ts';
import { readPositionFirst } from './feed-position.ts';
import './scalars.ts';
import './node.ts';
import './errors.ts';
import './refusals.ts';
import './failure.ts';
import './server-info.ts';
import './state-machine.ts';
import './solution.ts';
import './container-repository.ts';
import './device-repository.ts';
import './billing-subscription.ts';
import './instance.ts';
import './instance-commands.ts';
import './instance-saves.ts';
import './host.ts';
import './host-commands.ts';
import './host-saves.ts';
import './operation.ts';
import './operation-waits.ts';
import './transition.ts';
import './transition-feed.ts';
import './change.ts';
import './fleet.ts';
import './log.ts';
import './runtime.ts';

/** Builds the schema, with the descriptions that the SDL owns. */
export function buildSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: false });
  copyDescriptions(loadSchemaSdl().schema, schema);
  readPositionFirst(schema);
  return schema;
}
