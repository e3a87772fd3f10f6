import { Namespace } from '../../api/namespace.ts';
import { ServiceAccount } from '../../api/service-account.ts';
import type { Loop } from '../store/loop.ts';

const name = 'default';

/** Every namespace has the ServiceAccount `default`. The key is the namespace's name. */
export const serviceAccountLoop: Loop = {
  name: 'serviceaccount-controller',
  workers: 2,
  wakes: ({ kind, key, object }) => {
    if (kind === Namespace) return object ? [key.name] : [];
    return kind === ServiceAccount && key.name === name && !object ? [key.namespace] : [];
  },
  async reconcile(namespace, { cache, objects }) {
    const owner = cache.get(Namespace, { namespace: '', name: namespace });
    if (!owner || owner.metadata.deletionTimestamp !== undefined) return;
    if (cache.get(ServiceAccount, { namespace, name })) return;
    const metadata = { namespace, name };
    await objects.create(ServiceAccount, { apiVersion: 'v1', kind: 'ServiceAccount', metadata });
  },
};
