/** Starts the container of a run, once, whoever else tries to. */
import { setTimeout as delay } from 'node:timers/promises';
import { backOff } from '../../timing/back-off.ts';
import { type Call, DriverError, type RuntimeRequest, type StartedRuntime } from '../driver.ts';
import { aborted } from '../refusals.ts';
import { containerOptions, publishedOf, socketEndpoint } from './container.ts';
import { type Containers, ownerOf } from './containers.ts';
import { isLoopback } from './engine.ts';
import { refuse } from './errors.ts';
import type { Labels, Owner } from './names.ts';
import { hasExited, isUnstarted } from './observation.ts';
import type { FoundImage, Images } from './pulls.ts';

export interface Start {
  readonly containers: Containers;
  readonly images: Images;
  readonly runtime: RuntimeRequest;
  readonly call: Call;
  readonly networkId: string;
  /** Finds every container of the instance. */
  readonly owner: Pick<Owner, 'installation' | 'instanceId'>;
  readonly labels: Labels;
  readonly volumeLabels: Labels;
  readonly publishAddress: string;
  readonly apiSocket: { readonly folder: string; readonly name: string } | null;
  /** Rejects if a later call was seen. */
  admit(): Promise<void>;
}

type Found = Awaited<ReturnType<Containers['list']>>[number];

/**
 * The name is taken before the container is there: an engine still makes what a killed server has
 * asked for.
 */
const attempts = { most: 16, waits: { first: 25, max: 1_000 } };

export async function startContainer(start: Start): Promise<StartedRuntime> {
  const { images, runtime, call } = start;
  for (let failures = 0; failures < attempts.most; failures += 1) {
    if (failures > 0) await delay(backOff(attempts.waits, failures - 1));
    const own = await endOthers(start);
    if (own && hasExited(own)) return { imageDigest: own.Image, published: {} };
    const image = await images.place(runtime.image, call);
    const id = own?.Id ?? (await create(start, image));
    if (id === null) continue;
    await admitted(start, id, own === null);
    const started = await begin(start, id, image);
    if (started) return started;
    // Removed by another call, or by someone on the engine.
    await start.admit();
  }
  throw aborted(`The engine neither made nor has the container of ${runtime.instanceKey}.`);
}

/** Ends every other run of the instance, for certain. Returns the container of this one. */
async function endOthers({ containers, owner, runtime, call }: Start): Promise<Found | null> {
  let own: Found | null = null;
  for (const found of await containers.list(owner, call)) {
    if (ownerOf(found).runId === runtime.runId) own = found;
    else {
      if (!isUnstarted(found) && !hasExited(found)) await containers.kill(found, call);
      await containers.remove(found.Id, call);
    }
  }
  return own;
}

function create(start: Start, image: FoundImage): Promise<string | null> {
  const { containers, runtime, apiSocket, networkId, labels, volumeLabels, publishAddress } = start;
  const options = containerOptions({
    ...{ runtime, networkId, labels, volumeLabels, publishAddress },
    imageId: image.id,
    endpoints: endpointsOf(runtime, apiSocket),
    apiFolder: apiSocket?.folder ?? null,
  });
  return containers.create(options, start.call);
}

/** After this a later call finds the container, or has been seen. */
async function admitted(start: Start, id: string, isNew: boolean): Promise<void> {
  try {
    await start.admit();
  } catch (error) {
    if (isNew) await start.containers.remove(id, start.call);
    throw error;
  }
}

/** Starts it and tells it its key, again if that was done before. Null: it is gone, and another may be made. */
async function begin(start: Start, id: string, image: FoundImage): Promise<StartedRuntime | null> {
  const { containers, runtime, call } = start;
  try {
    await containers.start(id, call);
  } catch (error) {
    const found = await containers.inspect(id, call);
    if (!found) return null;
    // What could not be started would be in the way of the next attempt.
    if (isUnstarted(found)) await containers.remove(id, call);
    if (isChosenPort(error, runtime)) return null;
    throw withName(error, runtime);
  }
  const found = await containers.inspect(id, call);
  if (!found) return null;
  const published = publishedOf(found, runtime.ports);
  if (!hasExited(found)) await containers.tell(id, { runtime, published }, call);
  return { imageDigest: image.digest, published };
}

/** Was the port that is taken chosen by the engine? It chooses another one for another container. */
const isChosenPort = (error: unknown, { ports }: RuntimeRequest): boolean =>
  error instanceof DriverError &&
  error.code === 'PORT_TAKEN' &&
  !ports.some(({ port }) => port !== 0 && error.message.includes(`:${port} `));

/** Names the image, which the engine does not. */
function withName(error: unknown, { image }: RuntimeRequest): unknown {
  if (!(error instanceof DriverError) || error.code !== 'IMAGE_UNUSABLE') return error;
  const message = error.message.replace('The image', `The image ${image.image}:${image.tag}`);
  return new DriverError(error.code, message, { retryable: error.retryable, cause: error.cause });
}

/**
 * The addresses of the API as the container reaches them: the mounted socket, and an address that
 * is not of the server's machine alone.
 * @throws DriverError NO_WAY_TO_API
 */
function endpointsOf({ endpoint }: RuntimeRequest, apiSocket: Start['apiSocket']): string[] {
  const isReachable = !isLoopback(new URL(endpoint).hostname);
  const endpoints = [
    ...(apiSocket === null ? [] : [socketEndpoint(apiSocket.name)]),
    ...(isReachable ? [endpoint] : []),
  ];
  if (endpoints.length > 0) return endpoints;
  throw refuse(
    'NO_WAY_TO_API',
    `Containers of this engine cannot reach the API at ${endpoint}, an address of the server's machine alone. ` +
      'Set PUBLIC_URL to an address that they reach.',
  );
}
