import type { ConnectionOptions } from 'node:tls';
import { own } from '../../api/normalize.ts';
import type { RegistryCredential } from '../ports.ts';
import { type ImageReference, registryName } from './reference.ts';
import type { TrustRule } from './trust.ts';

/** How registries are reached, and what is let in from them. */
export interface Registries {
  /** By registry; "*" stands for every other one. */
  readonly mirrors: Readonly<Record<string, Mirror>>;
  /** By HOST or HOST:PORT; "*" stands for every other one. */
  readonly hosts: Readonly<Record<string, RegistryHost>>;
  readonly policy: readonly TrustRule[];
}

export interface Mirror {
  /** Asked before the registry, in this order: "https://mirror:5000/v2". */
  readonly bases: readonly string[];
  /** The first that fits changes the repository's name there. */
  readonly rewrites: readonly (readonly [pattern: RegExp, replacement: string])[];
}

export interface RegistryHost {
  readonly login: RegistryCredential | undefined;
  /** Options of node:tls. */
  readonly tls: Pick<ConnectionOptions, 'secureContext' | 'rejectUnauthorized'> | undefined;
}

export const noRegistries: Registries = { mirrors: {}, hosts: {}, policy: [] };

export const hostOf = ({ hosts }: Registries, host: string): RegistryHost | undefined =>
  own(hosts, registryName(host)) ?? own(hosts, '*');

/** A place that has a repository, maybe. */
export interface Source {
  /** The repository's name there; credentials, and what the place says, are for this one. */
  readonly reference: ImageReference;
  /** "https://HOST/v2/REPOSITORY" */
  readonly url: string;
  /** Tells a mirror of several registries which one is meant, as containerd does. */
  readonly query: string;
}

/** Mirrors, then the registry itself, unless its own name is among them: that says how to reach it. Pure. */
export function planSources(
  reference: ImageReference,
  { mirrors, insecure }: Pick<Registries, 'mirrors'> & { readonly insecure: readonly string[] },
): readonly Source[] {
  const { registry, repository } = reference;
  const { bases, rewrites } = own(mirrors, registry) ?? own(mirrors, '*') ?? noMirror;
  const [pattern = /^/, replacement = ''] = rewrites.find(([fits]) => fits.test(repository)) ?? [];
  const there = repository.replace(pattern, replacement);
  const query = `?ns=${encodeURIComponent(registry)}`;
  const sources = bases.map((base) => {
    const mirror = registryName(new URL(base).host);
    return {
      reference: { ...reference, registry: mirror, repository: there },
      ...{ url: `${base}/${there}`, query: mirror === registry ? '' : query },
    };
  });
  if (sources.some((source) => source.reference.registry === registry)) return sources;
  const scheme = insecure.includes(registry) ? 'http' : 'https';
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return [...sources, { reference, url: `${scheme}://${host}/v2/${repository}`, query: '' }];
}

const noMirror: Mirror = { bases: [], rewrites: [] };
