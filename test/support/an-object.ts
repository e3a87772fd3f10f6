import type { Kind, KubeObject } from '../../api/kind.ts';
import { parseObject } from '../../api/prepare.ts';
import type { Fields } from '../../api/schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** A stored object of a manifest that must be valid; `stored` overlays metadata that only the store writes. */
export function anObject<F extends Fields>(
  kind: Kind<F>,
  manifest: Json,
  stored: Json = {},
): KubeObject<F> {
  const parsed = parseObject(kind, manifest, kind.namespaced ? { namespace: 'default' } : {});
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const { object } = parsed;
  const metadata = {
    uid: `uid of ${object.metadata.name}`,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...object.metadata,
    ...stored,
  };
  return { ...object, metadata } as KubeObject<F>;
}
