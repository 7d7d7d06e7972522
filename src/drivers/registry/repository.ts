/** An image in a registry, by the Registry API v2: its tags, and what is behind each. */
import { createHash } from 'node:crypto';
import { isTagName } from '../../lifecycle/image-name.ts';
import { type ConnectionOptions, RegistryConnection } from './connection.ts';
import { invalidAnswer, lasting, statusFailure } from './failure.ts';
import { type JsonObject, jsonObject } from './json.ts';
import {
  fits,
  type ImageIndex,
  type ImageManifest,
  imageFor,
  isDigest,
  manifestTypes,
  type Platform,
  parseManifest,
  platformIn,
  platformText,
} from './manifest.ts';

export interface TaggedImage {
  /** Of what the tag names: a list, where it is one. What an engine that pulls the tag records. */
  readonly digest: string;
  /** Of the image for the platform. */
  readonly manifestDigest: string;
  /** Null: it does not say. */
  readonly platform: Platform | null;
  readonly createdAt: Date | null;
  /** Compressed, as it is stored in the registry. */
  readonly sizeBytes: number;
}

const maxBytes = { tags: 8 * 2 ** 20, manifest: 4 * 2 ** 20, configuration: 8 * 2 ** 20 };
const tagsPerPage = 200;
/** More names than these are not read. */
const maxTags = 20_000;

/** The platform whose image is shown, where no other is asked for, and a list has it. */
const usualPlatform: Platform = { os: 'linux', architecture: 'amd64', variant: null };

export class RegistryRepository {
  readonly #image: string;
  readonly #connection: RegistryConnection;

  constructor(options: ConnectionOptions) {
    this.#image = options.image;
    this.#connection = new RegistryConnection(options);
  }

  /** The names of all tags, in the order of the registry. */
  async tagNames(signal: AbortSignal): Promise<string[]> {
    const { host } = this.#connection;
    const names = new Set<string>();
    const seen = new Set<string>();
    let next: string | null = `tags/list?n=${tagsPerPage}`;
    while (next !== null && names.size < maxTags) {
      if (seen.has(next)) throw invalidAnswer(host, 'the pages of its tags have no end');
      seen.add(next);
      const asked = { accept: ['application/json'], maxBytes: maxBytes.tags, signal };
      const { url, answer } = await this.#connection.ask(next, asked);
      if (answer.status === 404) throw this.#noImage();
      if (answer.status !== 200) throw statusFailure(host, answer.status);
      const { tags } = jsonObject(host, answer.body);
      if (tags !== null && !Array.isArray(tags)) throw invalidAnswer(host, 'it lists no tags');
      for (const tag of tags ?? []) if (typeof tag === 'string' && isTagName(tag)) names.add(tag);
      next = nextPage(url, answer.headers.get('link'));
    }
    return [...names];
  }

  /** The digest of what a tag names now; cheap. */
  async digest(tag: string, signal: AbortSignal): Promise<string> {
    const asked = { method: 'HEAD', accept: manifestTypes, maxBytes: 0, signal } as const;
    const { answer } = await this.#connection.ask(`manifests/${tag}`, asked);
    const digest = answer.headers.get('docker-content-digest');
    if (answer.status === 200 && isDigest(digest)) return digest;
    if (answer.status === 404) throw await this.#noTag(tag, signal);
    if (answer.status !== 200 && answer.status !== 405) {
      throw statusFailure(this.#connection.host, answer.status);
    }
    return (await this.#manifest(tag, signal)).digest;
  }

  /**
   * What a tag names now.
   *
   * @param platform for which; null: for the usual one, else the first that there is
   */
  async resolve(tag: string, platform: Platform | null, signal: AbortSignal): Promise<TaggedImage> {
    const named = await this.#manifest(tag, signal);
    const image =
      named.manifest.kind === 'IMAGE'
        ? { ...named, manifest: named.manifest, platform: null }
        : await this.#imageIn(named.manifest, { tag, platform, signal });
    const { manifest } = image;
    const config = manifest.hasImageConfig
      ? await this.#configuration(manifest.configDigest, signal)
      : {};
    const ofImage = platformIn(config) ?? image.platform;
    if (platform && !fits(platform, ofImage)) {
      throw this.#noPlatform(tag, platform, ofImage ? [platformText(ofImage)] : []);
    }
    return {
      digest: named.digest,
      manifestDigest: image.digest,
      platform: ofImage,
      createdAt: timeIn(config.created),
      sizeBytes: manifest.sizeBytes,
    };
  }

  async #imageIn(
    index: ImageIndex,
    { tag, platform, signal }: { tag: string; platform: Platform | null; signal: AbortSignal },
  ) {
    const found = platform
      ? imageFor(platform, index)
      : (imageFor(usualPlatform, index) ?? index.images[0]);
    if (!found) {
      const offered = index.images.flatMap((each) =>
        each.platform ? [platformText(each.platform)] : [],
      );
      throw this.#noPlatform(tag, platform ?? usualPlatform, offered);
    }
    const { digest, manifest } = await this.#manifest(found.digest, signal);
    if (manifest.kind === 'INDEX') {
      throw invalidAnswer(this.#connection.host, 'a list of images has another list in it');
    }
    return { digest, manifest, platform: found.platform };
  }

  /** @param reference a tag, or a digest, which what comes must have */
  async #manifest(
    reference: string,
    signal: AbortSignal,
  ): Promise<{ digest: string; manifest: ImageManifest | ImageIndex }> {
    const { host } = this.#connection;
    const asked = { accept: manifestTypes, maxBytes: maxBytes.manifest, signal };
    const { answer } = await this.#connection.ask(`manifests/${reference}`, asked);
    if (answer.status === 404) throw await this.#noTag(reference, signal);
    if (answer.status !== 200) throw statusFailure(host, answer.status);
    const digest = digestOf(answer.body);
    const told = answer.headers.get('docker-content-digest');
    if ((isDigest(reference) ? reference : (told ?? digest)) !== digest) {
      throw invalidAnswer(host, 'what it sent does not have the digest that it says');
    }
    const value = jsonObject(host, answer.body);
    return { digest, manifest: parseManifest(host, value, answer.headers.get('content-type')) };
  }

  async #configuration(digest: string, signal: AbortSignal): Promise<JsonObject> {
    const { host } = this.#connection;
    const asked = { accept: ['*/*'], maxBytes: maxBytes.configuration, signal };
    const { answer } = await this.#connection.ask(`blobs/${digest}`, asked);
    if (answer.status !== 200) throw statusFailure(host, answer.status);
    if (digestOf(answer.body) !== digest) {
      throw invalidAnswer(host, 'what it sent does not have the digest that was asked for');
    }
    return jsonObject(host, answer.body);
  }

  #noImage() {
    return lasting(
      'IMAGE_NOT_FOUND',
      `${this.#connection.host} has no image ${this.#connection.path}: check its name, or push it there.`,
    );
  }

  /** Of an image that is there: the tag is missing. */
  async #noTag(reference: string, signal: AbortSignal) {
    const asked = { accept: ['application/json'], maxBytes: maxBytes.tags, signal };
    const { answer } = await this.#connection.ask('tags/list?n=1', asked);
    if (answer.status === 404) return this.#noImage();
    return lasting(
      'TAG_NOT_FOUND',
      `${this.#image} has no tag ${reference} in its registry: choose another, or push it there.`,
    );
  }

  #noPlatform(tag: string, wanted: Platform, offered: readonly string[]) {
    const has = offered.length === 0 ? 'none' : [...new Set(offered)].slice(0, 20).join(', ');
    return lasting(
      'PLATFORM_NOT_FOUND',
      `${this.#image}:${tag} has no image for ${platformText(wanted)}, but for ${has}: build it for that platform too, or choose a host of another.`,
    );
  }
}

const digestOf = (body: Buffer): string =>
  `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** The address of the next page of a `Link`, which must be the same registry's; null: this is the last. */
function nextPage(url: URL, link: string | null): string | null {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link ?? '') ?? [];
  if (target === undefined) return null;
  const next = URL.canParse(target, url) ? new URL(target, url) : null;
  if (next?.origin !== url.origin) {
    throw invalidAnswer(url.host, 'the next page of its tags is at another address');
  }
  return next.href;
}

function timeIn(created: unknown): Date | null {
  const time = typeof created === 'string' ? new Date(created) : null;
  return time && !Number.isNaN(time.getTime()) ? time : null;
}
