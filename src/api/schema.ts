/** The schema of the API, built from one file per entity. `schema/*.graphql` is its contract. */
import type { GraphQLSchema } from 'graphql';
import { loadSchemaSdl } from '../../schema/load.ts';
import { builder } from './base/builder.ts';
import { copyDescriptions } from './descriptions.ts';
import { readPositionFirst } from './subscription/feed-position.ts';
import { checkTexts } from './unstorable-text.ts';
import './base/scalars.ts';
import './entity/node.ts';
import './result/user-errors.ts';
import './mutation/refusals.ts';
import './entity/failure.ts';
import './server-info/server-info.ts';
import './server-info/state-machine.ts';
import './entity/solution.ts';
import './entity/container-repository.ts';
import './entity/device-repository.ts';
import './entity/billing-subscription.ts';
import './entity/compute-provider.ts';
import './entity/instance.ts';
import './mutation/instance-commands.ts';
import './mutation/instance-mutations.ts';
import './entity/host.ts';
import './mutation/host-commands.ts';
import './mutation/host-mutations.ts';
import './entity/operation.ts';
import './subscription/operation-updates.ts';
import './entity/transition.ts';
import './subscription/transitions.ts';
import './subscription/changes.ts';
import './subscription/fleet.ts';
import './subscription/runtime-log.ts';
import './runtime-protocol/runtime.ts';

/** Builds the schema, with the descriptions of the SDL. */
export function buildSchema(): GraphQLSchema {
  const schema = builder.toSchema({ sortSchema: false });
  copyDescriptions(loadSchemaSdl().schema, schema);
  checkTexts(schema);
  readPositionFirst(schema);
  return schema;
}
