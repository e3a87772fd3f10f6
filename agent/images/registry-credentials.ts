import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type DockerConfig, parseDockerConfig, parseObject } from '../../api/docker-config.ts';
import type { RegistryCredential } from '../ports.ts';
import { ImageError } from './image-error.ts';
import { type ImageReference, registryName } from './reference.ts';
import { hostOf } from './registries.ts';
import type { RegistryNetwork, Transport } from './registry-transport.ts';

type Logins = readonly RegistryCredential[];

export interface CredentialSources {
  /** Of the pod's Secrets. */
  readonly credentials: Logins;
  readonly transport: Transport;
}

type Repository = Pick<ImageReference, 'registry' | 'repository'>;

/** Who to be there, in the order in which they are to be tried; undefined if nobody is known. Throws Unauthorized. */
export async function* credentialsFor(
  to: Repository,
  { credentials, transport }: CredentialSources,
): AsyncGenerator<RegistryCredential | undefined> {
  const { login } = hostOf(transport.registries, to.registry) ?? {};
  const given = [...matching(to, credentials), ...(login === undefined ? [] : [login])];
  yield* given;
  const nodes = await nodeCredentials(to, transport.network);
  yield* nodes;
  if (given.length + nodes.length === 0) yield undefined;
}

/** From docker's config.json, read whenever it is needed: others change it. */
async function nodeCredentials(
  to: Repository,
  { dockerConfig: path, idleTimeoutMs }: RegistryNetwork,
): Promise<Logins> {
  if (path === undefined) return [];
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ImageError('Unauthorized', `${path} can't be read`, { cause });
  });
  const config = parseDockerConfig(text);
  if (config === undefined) throw new ImageError('Unauthorized', `${path} is not JSON`);
  const kept = await fromHelper(to.registry, config, idleTimeoutMs);
  return [...kept, ...matching(to, config.logins)];
}

/**
 * As kubelet does: a host's labels may be or hold stars, a path is that of the repository or one above it; the most
 * specific come first. Docker's old names are known.
 */
export function matching({ registry, repository }: Repository, credentials: Logins) {
  const isMeant = ({ registry: name }: RegistryCredential) => {
    const { host, path } = placeOf(name);
    const pattern = RegExp.escape(host).replaceAll('\\*', '[^.:]*');
    return new RegExp(`^${pattern}$`).test(registry) && `/${repository}/`.startsWith(`${path}/`);
  };
  const rank = ({ registry: name }: RegistryCredential) => {
    const { host, path } = placeOf(name);
    return path.length * 2 + Number(!host.includes('*'));
  };
  return credentials.filter(isMeant).toSorted((a, b) => rank(b) - rank(a));
}

/** "https://host/v1/", "host", "host/team": the path begins with a slash, or is empty. */
function placeOf(name: string) {
  const [, host = '', path = ''] =
    /^(?:https?:\/\/)?([^/]*)(?:\/v[12](?=\/|$))?(.*?)\/*$/.exec(name) ?? [];
  return { host: registryName(host), path };
}

/** Asks `docker-credential-NAME`, if one keeps this registry's (docker login, "Credential helper protocol"). */
async function fromHelper(
  registry: string,
  { credHelpers, credsStore }: DockerConfig,
  timeout: number,
): Promise<Logins> {
  const own = Object.entries(credHelpers).find(([name]) => placeOf(name).host === registry);
  const [, name] = own ?? ['', credsStore];
  if (typeof name !== 'string' || name === '') return [];
  const program = `docker-credential-${name}`;
  const refusal = (why: string, cause?: unknown) =>
    new ImageError('Unauthorized', `${program}, asked for ${registry}: ${why}`, { cause });
  const asking = promisify(execFile)(program, ['get'], { timeout, killSignal: 'SIGKILL' });
  // One that doesn't read what it is asked for says more with its exit.
  asking.child.stdin?.on('error', () => undefined);
  asking.child.stdin?.end(registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry);
  const { stdout } = await asking.catch((cause: { stdout?: string; killed?: boolean }) => {
    const said = cause.stdout?.trim().slice(0, 200) ?? '';
    if (said.startsWith('credentials not found')) return { stdout: undefined };
    throw refusal(cause.killed ? `no answer in ${timeout} ms` : said || 'it failed', cause);
  });
  if (stdout === undefined) return [];
  const { Username: username, Secret: password } = parseObject(stdout) ?? {};
  if (typeof username === 'string' && typeof password === 'string')
    return [{ registry, username, password }];
  throw refusal('it answered no Username and Secret');
}
