import type { Kind, KubeObject } from '../../api/kind.ts';
import { type ParseOptions, parseObject, parseUpdate } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';

/** What is wrong with a manifest: "path: message" each. */
export function errorsOf<F extends Fields>(
  kind: Kind<F>,
  json: unknown,
  options: ParseOptions = {},
): readonly string[] {
  const parsed = parseObject(kind, json, { namespace: 'default', ...options });
  return 'errors' in parsed ? parsed.errors.map((e) => `${e.path}: ${e.message}`) : [];
}

/** A stored object made from a manifest that must be valid. */
export function stored<F extends Fields>(
  kind: Kind<F>,
  json: Readonly<Record<string, unknown>>,
): KubeObject<F> {
  const parsed = parseObject(kind, json, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const metadata = {
    ...parsed.object.metadata,
    uid: '6f2a',
    resourceVersion: '7',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  return { ...parsed.object, metadata } as KubeObject<F>;
}

/** What is wrong with changing `previous` into `next`. */
export function updateErrorsOf<F extends Fields>(
  kind: Kind<F>,
  next: unknown,
  previous: KubeObject<F>,
): readonly string[] {
  const parsed = parseUpdate(kind, next, { previous });
  return 'errors' in parsed ? parsed.errors.map((e) => `${e.path}: ${e.message}`) : [];
}
