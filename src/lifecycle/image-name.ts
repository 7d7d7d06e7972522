/** Names of container images: which registry has them, and where there. */

export interface ImageName {
  /** Host and port: `registry.example:5000`; Docker Hub, the registry of names without one, is `docker.io`. */
  readonly registry: string;
  /** `team/runtime`. */
  readonly path: string;
}

export const dockerHub = 'docker.io';
const hubAliases = [dockerHub, 'index.docker.io', 'registry-1.docker.io'];

/**
 * The name, without tag or digest, in its parts. As with Docker, its first part is a registry if it has a dot
 * or a colon, or is `localhost`; official images of Docker Hub are in `library`.
 */
export function imageName(image: string): ImageName {
  const [first = '', ...rest] = image.split('/');
  const hasRegistry = rest.length > 0 && /[.:]|^localhost$/.test(first);
  const parts = hasRegistry ? rest : [first, ...rest];
  if (hasRegistry && !hubAliases.includes(first)) return { registry: first, path: parts.join('/') };
  const path = parts.length === 1 ? ['library', ...parts] : parts;
  return { registry: dockerHub, path: path.join('/') };
}

/** A tag of an image. */
export const isTagName = (tag: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag);

const registryForm = /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?$/;
const partForm = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/;

/** Can it be the name of an image? */
export function isImageName(image: string): boolean {
  const { registry, path } = imageName(image);
  return (
    image.length <= 255 &&
    registryForm.test(registry) &&
    URL.canParse(`https://${registry}`) &&
    path.split('/').every((part) => partForm.test(part))
  );
}
