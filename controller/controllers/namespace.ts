import { Namespace } from '../../api/namespace.ts';
import { keyOf } from '../store/keys.ts';
import type { Loop } from '../store/loop.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';

/** What makes a namespace wait until it is empty; in spec.finalizers, as in Kubernetes. */
const contentsFinalizer = 'kubernetes';

/** Empties namespaces that are being deleted, then lets them go. The key is the namespace's name. */
export const namespaceLoop: Loop = {
  name: 'namespace-controller',
  workers: 2,
  wakes,
  async reconcile(name, { cache, objects }) {
    const namespace = cache.get(Namespace, { namespace: '', name });
    if (!namespace?.metadata.deletionTimestamp) return;
    const left = cache.kinds.all
      .filter((kind) => kind.namespaced)
      .flatMap((kind) => cache.list(kind, name).map((object) => ({ kind, object })));
    if (left.length > 0) {
      const living = left.filter(({ object }) => !object.metadata.deletionTimestamp);
      for (const { kind, object } of living) await objects.delete(kind, keyOf(object));
      return;
    }
    const finalizers = (namespace.spec.finalizers ?? []).filter((f) => f !== contentsFinalizer);
    await objects.update(Namespace, { ...namespace, spec: { finalizers } }, 'all');
  },
};

function wakes({ kind, key }: ObjectChange, cache: Cache): readonly string[] {
  if (kind === Namespace) return [key.name];
  if (key.namespace === '') return [];
  const namespace = cache.get(Namespace, { namespace: '', name: key.namespace });
  return namespace?.metadata.deletionTimestamp ? [key.namespace] : [];
}
