/** Images on an engine: what is there, and pulls of what is not, shared by all who wait for one. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import type { ContainerImage, DeployCall } from '../driver.ts';
import { aborted } from '../refusals.ts';
import type { EngineConnection } from './engine.ts';
import { engineError, refuse, retry, statusOf, wordsOf } from './errors.ts';
import { readJsonLines } from './json-lines.ts';
import { PullProgress, type PullStep } from './pull-progress.ts';

/** An image on the engine. */
export interface FoundImage {
  readonly id: string;
  /** The digest that its registry knows it by; of an image that was made on the engine, its id. */
  readonly digest: string;
  /** It was made on the engine, and no registry has it. */
  readonly isLocal: boolean;
}

interface Pull {
  readonly done: Promise<void>;
  readonly waiting: Set<DeployCall>;
  readonly abort: AbortController;
}

export class Images {
  readonly #engine: EngineConnection;
  readonly #pulls = new Map<string, Pull>();

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  /** The image, if the engine has it. */
  async find(image: ContainerImage, call: DeployCall): Promise<FoundImage | null> {
    // An image that was made on the engine has no digest but its id.
    for (const name of image.digest ? [referenceOf(image), image.digest] : [referenceOf(image)]) {
      const found = await this.#engine.find(call, (docker, abortSignal) =>
        docker.getImage(name).inspect({ abortSignal } as object),
      );
      if (found) {
        const digest = digestOf(found, image);
        return { id: found.Id, digest, isLocal: digest === found.Id };
      }
    }
    return null;
  }

  /** The image, pulled if the engine does not have it, or if the registry is to be asked anew. */
  async place(image: ContainerImage, call: DeployCall): Promise<FoundImage> {
    const present = await this.find(image, call);
    if (present && (!call.anew || present.isLocal)) return present;
    await this.#pull(image, call);
    const pulled = await this.find(image, call);
    if (pulled) return pulled;
    throw retry(
      'IMAGE_MISSING',
      `${referenceOf(image)} was pulled, and is not on the engine: someone removed it. Repeat it.`,
    );
  }

  async #pull(image: ContainerImage, call: DeployCall): Promise<void> {
    const key = `${referenceOf(image)} ${image.credentials?.username ?? ''}`;
    const pull = this.#pulls.get(key) ?? this.#begin(key, image);
    pull.waiting.add(call);
    let leave: () => void = () => undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(aborted(`${referenceOf(image)} was being pulled.`));
      if (call.signal.aborted) leave();
      call.signal.addEventListener('abort', leave, { once: true });
    });
    try {
      await Promise.race([pull.done, left]);
    } finally {
      call.signal.removeEventListener('abort', leave);
      pull.waiting.delete(call);
      if (pull.waiting.size === 0) pull.abort.abort();
    }
  }

  /** Ends when nobody waits for it any more. */
  #begin(key: string, image: ContainerImage): Pull {
    const abort = new AbortController();
    const waiting = new Set<DeployCall>();
    const tell = (fraction: number, text: string): void => {
      for (const call of waiting) call.onProgress?.(fraction, text);
    };
    const done = this.#run(image, abort.signal, tell).finally(() => this.#pulls.delete(key));
    done.catch(() => undefined); // Whoever waits for it hears of it.
    const pull = { done, waiting, abort };
    this.#pulls.set(key, pull);
    return pull;
  }

  async #run(
    image: ContainerImage,
    signal: AbortSignal,
    tell: (fraction: number, text: string) => void,
  ): Promise<void> {
    const { credentials } = image;
    const authconfig = credentials && { ...credentials, serveraddress: registryOf(image) };
    const progress = new PullProgress();
    try {
      const { platform } = await this.#engine.inspect({ signal });
      const stream = await this.#engine.ask({ signal }, (docker, abortSignal) =>
        docker.pull(referenceOf(image), {
          ...{ abortSignal, platform },
          ...(authconfig ? { authconfig } : {}),
        } as object),
      );
      await readJsonLines<PullStep>(stream as Readable, (step) => {
        if (step.error !== undefined) throw pullError(image, step.error);
        const told = progress.take(step);
        if (told) tell(told.fraction, told.text);
      });
    } catch (error) {
      const { message, cause } = error as Error;
      // The engine refuses some before it answers, and others in its answer.
      if (cause && statusOf(cause) !== null) throw pullError(image, wordsOf(cause));
      throw signal.aborted
        ? aborted(message, error)
        : engineError(error, this.#engine.endpoint, signal);
    }
  }
}

/** What an image is called on the engine. */
export const referenceOf = ({ image, tag, digest }: ContainerImage): string =>
  digest ? `${image}@${digest}` : `${image}:${tag}`;

function registryOf({ image }: ContainerImage): string {
  const [first = ''] = image.split('/', 1);
  return image.includes('/') && /[.:]|^localhost$/.test(first)
    ? first
    : 'https://index.docker.io/v1/';
}

function digestOf(found: Docker.ImageInspectInfo, image: ContainerImage): string {
  const repository = found.RepoDigests?.find((each) =>
    isSameName(each.split('@')[0] ?? '', image.image),
  );
  return repository?.split('@')[1] ?? found.Id;
}

/** The engine leaves out what stands for Docker Hub. */
const isSameName = (known: string, image: string): boolean =>
  known === image || known === image.replace(/^docker\.io\/(library\/)?/, '');

/** Four failures with four remedies, and a full disk. */
function pullError(image: ContainerImage, words: string) {
  const name = referenceOf(image);
  const registry = registryOf(image);
  if (/no space left on device/i.test(words)) {
    return retry('ENGINE_DISK_FULL', `The disk of the engine is full: ${words}. Make room on it.`);
  }
  if (/no matching manifest|does not match the specified platform/i.test(words)) {
    return refuse(
      'IMAGE_PLATFORM',
      `${name} is not there for the platform of the engine: ${words}. Push it for that platform.`,
    );
  }
  if (/unauthorized|authentication required|denied|no basic auth/i.test(words)) {
    return refuse(
      'REGISTRY_DENIED',
      `${registry} refuses ${name}: ${words}. Look at the credentials of the container repository, and whether the image is there.`,
    );
  }
  if (/manifest unknown|not found|name unknown|repository .* does not exist/i.test(words)) {
    return refuse(
      'IMAGE_NOT_FOUND',
      `${registry} has no ${name}: ${words}. Push it, or name a tag that is there.`,
    );
  }
  if (/x509|certificate/i.test(words)) {
    return refuse(
      'REGISTRY_CERTIFICATE',
      `The engine does not trust the certificate of ${registry}: ${words}. Give its CA to the engine (/etc/docker/certs.d).`,
    );
  }
  if (/failed to register layer|unexpected EOF|invalid manifest|checksum/i.test(words)) {
    return refuse(
      'IMAGE_BROKEN',
      `What ${registry} has as ${name} is no image that the engine can unpack: ${words}. Push it anew.`,
    );
  }
  return retry(
    'REGISTRY_UNREACHABLE',
    `The engine cannot pull ${name} from ${registry}: ${words}. Look whether the registry runs, and whether the engine reaches it.`,
  );
}
