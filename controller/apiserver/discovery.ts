import { apiVersionOf, type Kind, type Subresource } from '../../api/kind.ts';

/** Plain discovery documents: what is there, under which names, with which verbs. Pure. */

export const coreVersions = {
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
} as const;

/** /apis */
export function groupList(kinds: readonly Kind[]) {
  const names = [...new Set(kinds.map(({ group }) => group))].filter((name) => name !== '').sort();
  return {
    kind: 'APIGroupList',
    apiVersion: 'v1',
    groups: names.map((name) => groupEntry(kinds, name)),
  };
}

/** /apis/GROUP */
export function groupDocument(kinds: readonly Kind[], group: string) {
  return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(kinds, group) };
}

/** /api/v1, /apis/GROUP/VERSION */
export const resourceList = (kinds: readonly Kind[], groupVersion: string) => ({
  kind: 'APIResourceList',
  apiVersion: 'v1',
  groupVersion,
  resources: kinds
    .filter((kind) => apiVersionOf(kind) === groupVersion)
    .flatMap((kind) => [resource(kind), ...kind.subresources.map((sub) => subresource(kind, sub))]),
});

export const groupVersionsOf = (kinds: readonly Kind[]): readonly string[] =>
  [...new Set(kinds.map(apiVersionOf))].sort();

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

const proxied = ['create', 'delete', 'get', 'patch', 'update'] as const;

const upgraded = (kind: string) => ({ kind, verbs: ['create', 'get'] });

/** What is not as with the resource itself. */
const subresources: Readonly<Record<Subresource, object>> = {
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
};

const subresource = ({ plural, namespaced, kind }: Kind, name: Subresource) => ({
  ...{ name: `${plural}/${name}`, singularName: '', namespaced },
  kind: name === 'proxy' ? `${kind}ProxyOptions` : kind,
  ...subresources[name],
});
