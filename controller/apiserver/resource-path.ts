import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';

/** A request's URL. What is behind the first question mark may have others. */
export function partsOf({ url = '' }: { readonly url?: string | undefined }) {
  const [path = '', ...query] = url.split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}

/** A part of a path. Throws BadRequest. */
export function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new StatusError('BadRequest', `invalid name "${part}"`, { cause });
  }
}

/** "v1" → "/api/v1", "apps/v1" → "/apis/apps/v1". */
export const groupVersionPath = (groupVersion: string): string =>
  `/${groupVersion.includes('/') ? 'apis' : 'api'}/${groupVersion}`;

/** "/apis/apps/v1/namespaces/{namespace}/deployments"; `parameter` writes the placeholder: ":namespace", "{namespace}". */
export function collectionPath(kind: Kind, parameter: (name: string) => string): string {
  const base = groupVersionPath(apiVersionOf(kind));
  return kind.namespaced
    ? `${base}/namespaces/${parameter('namespace')}/${kind.plural}`
    : `${base}/${kind.plural}`;
}

export const objectPath = (kind: Kind, parameter: (name: string) => string): string =>
  `${collectionPath(kind, parameter)}/${parameter('name')}`;
