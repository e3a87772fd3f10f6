import { isDigest } from './digest.ts';
import { ImageError } from './image-error.ts';

/** An image's name, complete: what `nginx` leaves out is filled in as docker does. */
export interface ImageReference {
  /** HOST or HOST:PORT, lower case; docker.io for names that say none. */
  readonly registry: string;
  /** library/nginx */
  readonly repository: string;
  /** latest if neither tag nor digest is given. With a digest the tag is only for the reader. */
  readonly tag: string | undefined;
  /** sha256:HEX */
  readonly digest: string | undefined;
}

const maxNameBytes = 255;
const component = /^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*$/;
const label = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const ipv6 = String.raw`\[[0-9a-fA-F:]+\]`;
const hostAndPort = new RegExp(String.raw`^(?:${label}(?:\.${label})*|${ipv6})(?::[0-9]{1,5})?$`);
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** NAME[:TAG][@DIGEST]. Throws ImageError InvalidImageName, which says what is wrong with it. */
export function parseReference(text: string): ImageReference {
  const refuse = (why: string) =>
    new ImageError('InvalidImageName', `"${text.slice(0, 300)}" is not an image name: ${why}`);
  if (text === '') throw refuse('it is empty');
  const [beforeDigest = '', digest, ...rest] = text.split('@');
  if (rest.length > 0) throw refuse('it has more than one "@"');
  if (digest !== undefined && !isDigest(digest))
    throw refuse(`"${digest}" is not a digest (sha256: and 64 lower-case hexadecimal digits)`);
  const { name, tag } = splitTag(beforeDigest);
  if (tag !== undefined && !tagPattern.test(tag)) throw refuse(`"${tag}" is not a tag`);
  const { registry, repository } = splitRegistry(name);
  if (!isRegistryAddress(registry)) throw refuse(`"${registry}" is not a registry's address`);
  const why = repositoryError(repository);
  if (why !== undefined) throw refuse(why);
  const wanted = tag ?? (digest === undefined ? 'latest' : undefined);
  return { registry: registry.toLowerCase(), repository, tag: wanted, digest };
}

/** HOST or HOST:PORT. */
export const isRegistryAddress = (text: string): boolean => hostAndPort.test(text);

/** The one name of a registry: docker.io has several. */
export function registryName(host: string): string {
  const name = host.toLowerCase();
  return /^(index|registry-1)\.docker\.io$/.test(name) ? 'docker.io' : name;
}

/** The last colon starts the tag, unless a slash follows it: then it was a port. */
function splitTag(text: string): { name: string; tag: string | undefined } {
  const colon = text.lastIndexOf(':');
  if (colon < 0 || text.includes('/', colon)) return { name: text, tag: undefined };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

/** The first part is a host if it has a dot or a port or is localhost; otherwise the name is docker.io's. */
function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, slash);
  if (slash < 0) return { registry: 'docker.io', repository: `library/${name}` };
  if (!/[.:]/.test(first) && first !== 'localhost')
    return { registry: 'docker.io', repository: name };
  const repository = name.slice(slash + 1);
  const isDocker = first === 'docker.io' || first === 'index.docker.io';
  if (!isDocker) return { registry: first, repository };
  return {
    registry: 'docker.io',
    repository: repository.includes('/') ? repository : `library/${repository}`,
  };
}

function repositoryError(repository: string): string | undefined {
  if (repository.length > maxNameBytes) return `its name is longer than ${maxNameBytes} characters`;
  const wrong = repository.split('/').find((part) => !component.test(part));
  if (wrong === undefined) return undefined;
  if (wrong === '' || repository === 'library/') return 'a part of its name is empty';
  if (/[A-Z]/.test(wrong)) return `"${wrong}" must be lower case`;
  return `"${wrong}" is not a repository name`;
}

/** The same text for every way to write the same image; parses back to it. */
export function formatReference(reference: ImageReference): string {
  const { registry, repository, tag, digest } = reference;
  const name = `${registry}/${repository}`;
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}
