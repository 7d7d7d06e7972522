/** Manifests of images and of lists of images, as Docker and OCI have them. */
import { invalidAnswer, lasting } from './failure.ts';
import { isObject, type JsonObject } from './json.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** Null: any. */
  readonly variant: string | null;
}

export interface ImageManifest {
  readonly kind: 'IMAGE';
  readonly configDigest: string;
  /** Does its configuration say when it was made, and for which platform? */
  readonly hasImageConfig: boolean;
  /** Of its configuration and its layers, as they are stored in the registry. */
  readonly sizeBytes: number;
}

export interface ImageIndex {
  readonly kind: 'INDEX';
  readonly images: readonly IndexEntry[];
}

export interface IndexEntry {
  readonly digest: string;
  /** Null: it says none. */
  readonly platform: Platform | null;
}

const imageTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const configTypes = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];
/** What is asked for. */
export const manifestTypes: readonly string[] = [...indexTypes, ...imageTypes];

export const isDigest = (text: unknown): text is string =>
  typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text);

/** @param contentType of the answer, for a manifest that says no type of its own */
export function parseManifest(
  host: string,
  value: JsonObject,
  contentType: string | null,
): ImageManifest | ImageIndex {
  const said = typeof value.mediaType === 'string' ? value.mediaType : contentType;
  const type = (said ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (indexTypes.includes(type)) return { kind: 'INDEX', images: entries(host, value.manifests) };
  if (imageTypes.includes(type)) return image(host, value);
  const shown = JSON.stringify(type.slice(0, 100));
  throw lasting(
    'MANIFEST_UNSUPPORTED',
    `${host} has something of the type ${shown} there, which is no image that can be run: choose another tag.`,
  );
}

function image(host: string, { config, layers }: JsonObject): ImageManifest {
  const parts = [config, ...(Array.isArray(layers) ? layers : [])];
  const sizeBytes = parts.reduce<number>((sum, part) => {
    const size = isObject(part) ? part.size : undefined;
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw invalidAnswer(host, 'a part of the manifest has no size');
    }
    return sum + size;
  }, 0);
  if (!isObject(config) || !isDigest(config.digest)) {
    throw invalidAnswer(host, 'the manifest names no configuration');
  }
  const hasImageConfig =
    typeof config.mediaType === 'string' && configTypes.includes(config.mediaType);
  return { kind: 'IMAGE', configDigest: config.digest, hasImageConfig, sizeBytes };
}

function entries(host: string, manifests: unknown): IndexEntry[] {
  if (!Array.isArray(manifests)) throw invalidAnswer(host, 'the list of manifests is none');
  return manifests.flatMap((each: unknown) => {
    if (!isObject(each) || !isDigest(each.digest)) return [];
    const platform = platformIn(each.platform);
    // What belongs to an image, such as a signature, stands beside it as `unknown`.
    return platform?.os === 'unknown' ? [] : [{ digest: each.digest, platform }];
  });
}

/** The platform that an entry of a list, or the configuration of an image, says. */
export function platformIn(value: unknown): Platform | null {
  if (!isObject(value)) return null;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return null;
  return { os, architecture, variant: typeof variant === 'string' && variant ? variant : null };
}

/** `linux/arm64/v8` */
export const platformText = ({ os, architecture, variant }: Platform): string =>
  [os, architecture, ...(variant === null ? [] : [variant])].join('/').slice(0, 60);

/** @param offered null: it does not say */
export function fits(wanted: Platform, offered: Platform | null): boolean {
  if (!offered) return true;
  const { os, architecture, variant } = wanted;
  if (os !== offered.os || architecture !== offered.architecture) return false;
  return variant === null || offered.variant === null || variant === offered.variant;
}

/** The image of a list for a platform: one of exactly its variant before others. */
export function imageFor(platform: Platform, { images }: ImageIndex): IndexEntry | undefined {
  const fitting = images.filter((each) => fits(platform, each.platform));
  return fitting.find((each) => each.platform?.variant === platform.variant) ?? fitting[0];
}
