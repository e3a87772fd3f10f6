import { apiVersionOf, type Kind, type Subresource } from '../../api/kind.ts';

/** Discovery documents: what is there, under which names, with which verbs. Pure. */

export const coreVersions = {
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
} as const;

/** /apis */
export function groupList(kinds: readonly Kind[]) {
  const groups = groupNames(kinds).filter((name) => name !== '');
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: groups.map((name) => groupEntry(kinds, name)),
  };
}

/** /api or /apis with all that is below, for who asks for it: the core group's name is "". KEP-3352. */
export const aggregatedList = (kinds: readonly Kind[], version: string) => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: groupNames(kinds).map((name) => ({
    metadata: { name },
    versions: groupEntry(kinds, name).versions.map(({ groupVersion, version }) => ({
      version,
      resources: kindsOf(kinds, groupVersion).map(aggregatedResource),
      freshness: 'Current',
    })),
  })),
});

/** /apis/GROUP */
export function groupDocument(kinds: readonly Kind[], group: string) {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(kinds, group) };
}

/** /api/v1, /apis/GROUP/VERSION */
export const resourceList = (kinds: readonly Kind[], groupVersion: string) => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion,
  resources: kindsOf(kinds, groupVersion).flatMap((kind) => [
    resource(kind),
    ...kind.subresources.map((sub) => subresource(kind, sub)),
  ]),
});

/** By name: the order in which `kubectl get all` prints them. */
const kindsOf = (kinds: readonly Kind[], groupVersion: string) =>
  kinds
    .filter((kind) => apiVersionOf(kind) === groupVersion)
    .sort((a, b) => (a.plural < b.plural ? -1 : 1));

export const groupVersionsOf = (kinds: readonly Kind[]): readonly string[] =>
  [...new Set(kinds.map(apiVersionOf))].sort();

const groupNames = (kinds: readonly Kind[]) => [...new Set(kinds.map(({ group }) => group))].sort();

function groupEntry(kinds: readonly Kind[], name: string) {
  const versions = groupVersionsOf(kinds.filter(({ group }) => group === name)).map(
    (groupVersion) => ({ groupVersion, version: groupVersion.split('/').at(-1) ?? '' }),
  );
  return { name, versions, preferredVersion: versions[0] };
}

function resource(kind: Kind) {
  const { plural, singular, namespaced, shortNames, categories, verbs } = kind;
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
}

function aggregatedResource({ group, version, kind, ...rest }: Kind) {
  const { plural, singular, verbs, shortNames, categories, namespaced } = rest;
  const names = { resource: plural, singularResource: singular, shortNames, categories };
  const responseKind = { group, version, kind };
  return {
    ...{ ...names, responseKind, scope: namespaced ? 'Namespaced' : 'Cluster', verbs },
    subresources: rest.subresources.map((subresource) => {
      const { verbs, ...other } = subresources[subresource];
      return { subresource, responseKind: { ...responseKind, ...other }, verbs };
    }),
  };
}

const proxied = ['create', 'delete', 'get', 'patch', 'update'] as const;

const upgraded = (kind: string) => ({ kind, verbs: ['create', 'get'] });

/** What is not as with the resource itself. */
const subresources: Readonly<Record<Subresource, Partial<Kind> & Pick<Kind, 'verbs'>>> = {
  status: { verbs: ['get', 'patch', 'update'] },
  scale: {
    ...{ group: 'autoscaling', version: 'v1', kind: 'Scale' },
    verbs: ['get', 'patch', 'update'],
  },
  ephemeralcontainers: { verbs: ['get', 'patch', 'update'] },
  log: { verbs: ['get'] },
  exec: upgraded('PodExecOptions'),
  attach: upgraded('PodAttachOptions'),
  portforward: upgraded('PodPortForwardOptions'),
  proxy: { verbs: proxied },
  binding: { kind: 'Binding', verbs: ['create'] },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  token: {
    ...{ group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
    verbs: ['create'],
  },
};

const subresource = ({ plural, namespaced, kind }: Kind, name: Subresource) => ({
  ...{ name: `${plural}/${name}`, singularName: '', namespaced },
  kind: name === 'proxy' ? `${kind}ProxyOptions` : kind,
  ...subresources[name],
});
