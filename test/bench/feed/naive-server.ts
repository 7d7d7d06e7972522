/**
 * What fan-out is held against besides: subscriptions as they are made from the parts as they come,
 * graphql-ws with an iterator and an execution for each subscriber, over Yoga's `createPubSub`.
 */
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { answerWith } from './process.ts';

const schema = buildSchema(/* GraphQL */ `
  scalar JSON
  type Actor { kind: String! name: String! }
  type Transition {
    id: ID!
    cursor: String!
    sequence: Int!
    fromState: String!
    toState: String!
    at: String!
    details: JSON!
    actor: Actor!
  }
  type Query { ready: Boolean! }
  type Subscription { instanceTransitions: Transition! }
`);

setMaxListeners(0);
const pubSub = createPubSub<{ transition: [object] }>();
const field = schema.getSubscriptionType()?.getFields().instanceTransitions;
if (field) {
  field.subscribe = () => pubSub.subscribe('transition');
  field.resolve = (event) => event;
}

const tasks = {
  /** Resolves with the address. */
  start(): Promise<string> {
    const http = createServer();
    const server = new WebSocketServer({ server: http, path: '/graphql' });
    useServer({ schema }, server);
    return new Promise((resolve) => {
      http.listen(0, '127.0.0.1', () => {
        const address = http.address();
        resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`);
      });
    });
  },
  /** Publishes a transition so many times. */
  publish(transition: object, times: number): void {
    for (let sent = 0; sent < times; sent += 1) pubSub.publish('transition', transition);
  },
  collect(): void {
    globalThis.gc?.();
    globalThis.gc?.();
  },
};

export type NaiveServer = typeof tasks;

answerWith(tasks);
