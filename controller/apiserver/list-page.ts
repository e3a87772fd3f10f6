import type { AnyObject } from '../../api/kind.ts';
import { StatusError } from '../../api/status.ts';
import { parseJson } from '../../base/json-text.ts';
import { formatKey, keyOf } from '../store/keys.ts';
import type { Cache, ObjectChange, ObjectKey } from '../store/objects.ts';
import type { Call } from './call.ts';
import { badRequest } from './request-options.ts';

/** A list in pages, all of them as of the revision of the first. Pure but for reading the cache. */

/** Namespace "": all. */
type Scope = Pick<Call, 'kind' | 'namespace'>;

export type Page = ReturnType<typeof pageOf>;

/** The objects of a kind by namespace and name, as they were at `revision`: today's, with the changes since then undone. */
export function objectsAt(cache: Cache, of: Scope, revision: number): readonly AnyObject[] {
  const today: readonly AnyObject[] = cache.list(of.kind, of.namespace || undefined);
  if (revision === cache.revision) return today;
  const changes = revision < cache.revision ? cache.changesSince(revision) : undefined;
  if (changes === undefined) throw expired();
  const ours = changes.filter((change) => concerns(change, of));
  return objectsBefore(today, ours);
}

/** Up to `limit` of these ordered objects, behind `after`; 0: all. */
export function pageOf(
  objects: readonly AnyObject[],
  revision: number,
  { limit, after }: { readonly limit: number; readonly after: ObjectKey | undefined },
) {
  const rest = after ? objects.filter((o) => compareKeys(keyOf(o), after) > 0) : objects;
  const page = limit === 0 ? rest : rest.slice(0, limit);
  const last = page.at(-1);
  const remaining = rest.length - page.length;
  const continueToken = remaining > 0 && last ? formatToken({ revision, after: keyOf(last) }) : '';
  return { objects: page, continueToken, remaining };
}

export type ContinueToken = Readonly<{ revision: number; after: ObjectKey }>;

const formatToken = ({ revision, after }: ContinueToken): string =>
  Buffer.from(JSON.stringify([revision, after.namespace, after.name])).toString('base64url');

export function parseToken(text: string): ContinueToken {
  const value = parseJson(Buffer.from(text, 'base64url').toString());
  const [revision, namespace, name] = Array.isArray(value) ? value : [];
  if (!Number.isSafeInteger(revision) || typeof namespace !== 'string' || typeof name !== 'string')
    throw badRequest('continue key is not valid');
  return { revision, after: { namespace, name } };
}

export function concerns(change: ObjectChange, of: Scope): boolean {
  if (change.kind !== of.kind) return false;
  return of.namespace === '' || change.key.namespace === of.namespace;
}

/** What was there before these changes, which are all since then and in order. */
export function objectsBefore(today: readonly AnyObject[], changes: readonly ObjectChange[]) {
  const before = new Map<string, AnyObject | undefined>();
  for (const { key, previous } of changes) {
    const id = formatKey(key);
    if (!before.has(id)) before.set(id, previous);
  }
  const untouched = today.filter((object) => !before.has(formatKey(keyOf(object))));
  const others = [...before.values()].filter((object) => object !== undefined);
  return [...untouched, ...others].sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
}

const compareKeys = (a: ObjectKey, b: ObjectKey): number =>
  compareText(a.namespace, b.namespace) || compareText(a.name, b.name);

const compareText = (a: string, b: string) => Number(a > b) - Number(a < b);

const expired = () =>
  new StatusError(
    'Expired',
    'The provided continue parameter or resourceVersion is too old: what was then is no longer known. Start the list again.',
  );
