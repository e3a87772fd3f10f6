import { Lease } from '../../api/lease.ts';
import type { ObjectKey, Objects } from './objects.ts';

type Spec = Lease['spec'];

/** Makes the Lease, or lays over it what `next` gives for it as it is. */
export async function writeLease(objects: Objects, key: ObjectKey, next: (present: Spec) => Spec) {
  const renewed = await objects.modify(Lease, { key, part: 'all' }, (lease) => ({
    ...lease,
    spec: { ...lease.spec, ...next(lease.spec) },
  }));
  if (renewed) return;
  const about = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  await objects.create(Lease, { ...about, metadata: key, spec: next({}) });
}
