import { apiVersionOf, type Kind } from '../../api/kind.ts';

/** "/api/v1", "/apis/apps/v1". */
export const groupVersionPath = (kind: Pick<Kind, 'group' | 'version'>): string =>
  kind.group === '' ? `/api/${kind.version}` : `/apis/${apiVersionOf(kind)}`;

/** "/apis/apps/v1/namespaces/{namespace}/deployments"; `parameter` writes the placeholder: ":namespace", "{namespace}". */
export function collectionPath(kind: Kind, parameter: (name: string) => string): string {
  const base = groupVersionPath(kind);
  return kind.namespaced
    ? `${base}/namespaces/${parameter('namespace')}/${kind.plural}`
    : `${base}/${kind.plural}`;
}

export const objectPath = (kind: Kind, parameter: (name: string) => string): string =>
  `${collectionPath(kind, parameter)}/${parameter('name')}`;
