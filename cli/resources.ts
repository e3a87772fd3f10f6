import type { AnyObject, Kind } from '../api/kind.ts';
import { apiVersionOf } from '../api/kind.ts';
import { StatusError } from '../api/status.ts';
import type { ApiClient, Query, Reply } from './client.ts';

/** An object's place; "" where the kind has no namespaces. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

export interface Selection {
  readonly kind: Kind;
  /** "": all. */
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface ObjectList<T extends AnyObject = AnyObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[];
}

export function collectionPath({ kind, namespace }: Pick<Selection, 'kind' | 'namespace'>): string {
  const root = kind.group === '' ? '/api' : '/apis';
  const scope =
    kind.namespaced && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}/${apiVersionOf(kind)}${scope}/${kind.plural}`;
}

export const objectPath = (ref: ObjectRef, subresource = ''): string =>
  `${collectionPath(ref)}/${encodeURIComponent(ref.name)}${subresource && `/${subresource}`}`;

export async function getObject<T extends AnyObject>(
  client: ApiClient,
  ref: ObjectRef,
): Promise<T> {
  return (await client.send<T>({ path: objectPath(ref) })).body;
}

/** What was asked for; undefined: it isn't there. */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StatusError && error.reason === 'NotFound') return undefined;
    throw error;
  }
}

export async function listObjects<T extends AnyObject>(
  client: ApiClient,
  selection: Selection,
): Promise<ObjectList<T>> {
  const path = collectionPath(selection);
  return (await client.send<ObjectList<T>>({ path, query: selectorsOf(selection) })).body;
}

export const selectorsOf = ({ labelSelector, fieldSelector }: Selection): Query => ({
  labelSelector,
  fieldSelector,
});

const fieldManager = 'orc';

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

/** Server-side apply. 201: it was made. */
export function applyObject(
  client: ApiClient,
  ref: ObjectRef,
  { body, dryRun = false, force = false }: ApplyOptions & { readonly body: unknown },
): Promise<Reply<AnyObject>> {
  return client.send({
    method: 'PATCH',
    path: objectPath(ref),
    query: { fieldManager, force, ...(dryRun ? { dryRun: 'All' } : {}) },
    type: 'application/apply-patch+yaml',
    body,
  });
}

export async function mergePatch<T extends AnyObject>(
  client: ApiClient,
  ref: ObjectRef,
  { patch, subresource = '' }: { readonly patch: unknown; readonly subresource?: string },
): Promise<T> {
  const reply = await client.send<T>({
    method: 'PATCH',
    path: objectPath(ref, subresource),
    query: { fieldManager },
    type: 'application/merge-patch+json',
    body: patch,
  });
  return reply.body;
}
