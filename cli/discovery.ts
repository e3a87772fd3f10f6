import { type Kind, kind, type Subresource } from '../api/kind.ts';
import type { Api } from './resources.ts';

/** KEP-3352: all groups in one document. */
type Discovery = Readonly<{ items: readonly Group[] }>;
type Group = Readonly<{ metadata: { name: string }; versions: readonly Version[] }>;
type Version = Readonly<{ version: string; resources: readonly Resource[] }>;

interface Resource extends Pick<Kind, 'shortNames' | 'categories' | 'verbs'> {
  readonly resource: string;
  readonly singularResource: string;
  readonly responseKind: { readonly kind: string };
  readonly scope: 'Namespaced' | 'Cluster';
  readonly subresources: readonly { readonly subresource: Subresource }[];
}

const discoveryType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** What the server says it has, in the core group or in all others; nothing is known of their fields. */
export async function discoverKinds(api: Api, path: '/api' | '/apis'): Promise<readonly Kind[]> {
  const { body } = await api.send<Discovery>({ path, accept: discoveryType });
  return body.items.flatMap(({ metadata: { name: group }, versions }) =>
    versions.flatMap(({ version, resources }) =>
      resources.map(({ resource, singularResource, responseKind, scope, subresources, ...names }) =>
        kind({
          ...{
            ...names,
            group,
            version,
            kind: responseKind.kind,
            namespaced: scope === 'Namespaced',
          },
          ...{ plural: resource, singular: singularResource, about: '', fields: {}, columns: [] },
          subresources: subresources.map(({ subresource }) => subresource),
        }),
      ),
    ),
  );
}
