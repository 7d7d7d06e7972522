/**
 * All subscribers lose their connections and come back at once, each with the cursor it had: how long
 * until each has what it missed, and how many statements the node asks its database for that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, figure, median } from '../figures.ts';
import { held } from './aims.ts';
import {
  type BenchRun,
  closers,
  crowdOf,
  notifierOf,
  settle,
  startNode,
  watch,
} from './bench-run.ts';
import { countStatements } from './statements.ts';
import { openTransitions } from './transitions.ts';

const rounds = 3;
const missed = 100;
/** What the node asks with all of them subscribed and nothing to tell, which some checks do each 10 s. */
const idleSeconds = 12;
const restSeconds = 10;
const crowd = 'node';

export async function measureReturns(benchRun: BenchRun): Promise<Figure[]> {
  const count = benchRun.quick ? 200 : 5_000;
  const { clients } = benchRun;
  const { add, close } = closers();
  const seconds: number[] = [];
  const asked: number[] = [];
  let retries = 0;
  try {
    const database = await benchRun.bench.createDatabase(200);
    const statements = await countStatements(database.url);
    add(statements, statements.close);
    const node = await startNode(benchRun, database, { url: statements.url });
    add(node, node.stop);
    const notifier = notifierOf(database);
    add(notifier, notifier.stop);
    const transitions = await openTransitions(database.store.database, {
      organizationId: database.store.defaultOrganizationId,
      notifier,
    });
    const open = (variables: object, atATime: number | null) =>
      clients.call('open', crowd, {
        ...crowdOf(node, count),
        atATime,
        wanted: { query: watch, variables: [variables] },
      });
    await open({}, 100);
    add(crowd, () => clients.call('leave', crowd));
    await settle(benchRun, crowd, () => transitions.commit());
    statements.take();
    await sleep(idleSeconds * 1000);
    const idle = statements.take();
    for (let round = 0; round < rounds; round += 1) {
      // A node that was busy for ten seconds puts off who comes: it has had its rest.
      if (round > 0) await sleep(restSeconds * 1000);
      const { feedPosition: after } = await node.query('{ feedPosition }');
      await clients.call('leave', crowd);
      for (let each = 0; each < missed; each += 1) await transitions.commit();
      await sleep(500);
      statements.take();
      const began = performance.now();
      const opened = open({ after }, null);
      await clients.call('watchOrder', crowd);
      await clients.call('reached', crowd, missed, 90);
      const took = (performance.now() - began) / 1000;
      await opened;
      asked.push(beyond(statements.take(), idle, took / idleSeconds));
      seconds.push(took);
      const counted = await clients.call('counted', crowd);
      if (counted.outOfOrder > 0 || counted.frames !== missed * count)
        throw new Error(`Not each event once and in its order: ${JSON.stringify(counted)}`);
      retries = Math.max(retries, counted.retries);
      const why = [...new Set(counted.closed)].join('; ');
      if (why) process.stderr.write(`  sockets were closed: ${why}\n`);
    }
  } finally {
    await close();
  }
  return [
    held(`${count} subscribers back at once, ${missed} events missed, s`, median(seconds), {
      atMost: 5,
    }),
    held('  statements of the node beyond those of an idle one', median(asked), { atMost: 2 }),
    figure('  connections and subscriptions that had to be tried again', retries),
  ];
}

/** How many statements there were more than in an idle time, of the same length, of the same node. */
function beyond(counts: Map<string, number>, idle: Map<string, number>, share: number): number {
  let more = 0;
  for (const [text, times] of counts) {
    const usual = idle.get(text);
    const beyondUsual = times - (usual === undefined ? 0 : Math.ceil(usual * share) + 1);
    if (beyondUsual <= 0) continue;
    more += beyondUsual;
    process.stderr.write(`  ${beyondUsual} times ${text.replace(/\s+/g, ' ').slice(0, 150)}\n`);
  }
  return more;
}
