/**
 * The steps of every operation, for every transport: parse, limits, validation, context, execution,
 * masking of errors.
 */
import type { ExecutionResult } from 'graphql';
import type { Subscriber } from '../wire/subscriber.ts';
import { executeOperation } from './execute.ts';
import type { Results } from './map-events.ts';
import { createPrepare, type Prepare } from './prepare.ts';
import type { OperationRequest, Prepared, Requester } from './request.ts';
import { createSubscribe, type Subscribe, type SubscribeOptions } from './subscribe.ts';

export interface Pipeline {
  readonly prepare: Prepare;
  execute(prepared: Prepared): Promise<ExecutionResult>;
  readonly subscribe: Subscribe;
  /** All steps. */
  run(
    request: OperationRequest,
    requester: Requester,
  ): Promise<Subscriber | Results | ExecutionResult>;
}

export type PipelineOptions = SubscribeOptions;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { metrics, log } = options;
  const pipeline: Pipeline = {
    prepare: createPrepare(options),
    subscribe: createSubscribe(options),
    async execute(prepared) {
      const end = metrics.started(prepared.requester.transport, prepared.operation.operation);
      const result = await executeOperation(prepared, log);
      end(result.errors ? 'errors' : 'ok');
      return result;
    },
    async run(request, requester) {
      const prepared = pipeline.prepare(request, requester);
      if (!('requester' in prepared)) {
        metrics.operation(requester.transport, 'unknown', 'refused');
        return { errors: prepared };
      }
      return prepared.operation.operation === 'subscription'
        ? pipeline.subscribe(prepared)
        : pipeline.execute(prepared);
    },
  };
  return pipeline;
}
