/** What an engine holds for an installation, and what it tells of it. */
import type { Readable } from 'node:stream';
import type { Call, Holding, WatchCall } from '../driver.ts';
import type { Containers } from './containers.ts';
import type { EngineConnection } from './engine.ts';
import { readJsonLines } from './json-lines.ts';
import { filterOf, type Labels, labels, runtimeOf } from './names.ts';
import type { Networks } from './networks.ts';

interface Owner {
  readonly installation: string;
}

/** What an event of a container says; its labels are among the attributes. */
interface EngineEvent {
  readonly Actor: { readonly Attributes: Labels };
}

/** The hosts and the runtimes of an installation. */
export async function listHoldings(
  { containers, networks }: { containers: Containers; networks: Networks },
  owner: Owner,
  call: Call,
): Promise<Holding[]> {
  const [ofHosts, volumes, ofRuns] = await Promise.all([
    networks.list(owner, call),
    networks.listVolumes(owner, call),
    containers.listBriefly(owner, call),
  ]);
  const all: (Labels | undefined)[] = [...ofHosts, ...volumes, ...ofRuns].map(
    ({ Labels }) => Labels,
  );
  const hosts = [...new Set(all.flatMap((each) => each?.[labels.host] ?? []))];
  return [
    ...hosts.map((hostId): Holding => ({ hostId, runtime: null })),
    ...ofRuns.flatMap(({ Labels, State }): Holding[] => {
      const [hostId, runtime] = [Labels[labels.host], runtimeOf(Labels)];
      const hasExited = State === 'exited' || State === 'dead';
      return hostId === undefined || !runtime ? [] : [{ hostId, runtime, hasExited }];
    }),
  ];
}

/** Tells of containers of an installation that exit or are removed, until the engine ends it. */
export async function watchExits(
  engine: EngineConnection,
  owner: Owner,
  call: WatchCall,
): Promise<void> {
  const filters = { type: ['container'], event: ['die', 'destroy'], ...filterOf(owner) };
  await engine.ask(call, async (docker, abortSignal) => {
    const events = await docker.getEvents({ filters, abortSignal } as object);
    call.onOpen();
    await readJsonLines<EngineEvent>(events as Readable, ({ Actor }) => {
      const runtime = runtimeOf(Actor.Attributes);
      if (runtime) call.onExit(runtime);
    });
  });
}
