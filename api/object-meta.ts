import * as s from './schema.ts';

/** metav1.ObjectMeta as orc keeps it. Written by the user but for uid, resourceVersion, generation and the timestamps. */
export const objectMetaFields = {
  ...s.all(s.str(), 'name', 'generateName', 'namespace', 'uid', 'resourceVersion'),
  generation: s.long(),
  ...s.all(s.time(), 'creationTimestamp', 'deletionTimestamp'),
  deletionGracePeriodSeconds: s.long({ min: 0 }),
  ...s.all(s.map(s.str()), 'labels', 'annotations'),
  ownerReferences: s.listMap(
    s.obj({
      ...s.all(s.str().required(), 'apiVersion', 'kind', 'name', 'uid'),
      ...s.all(s.bool(), 'controller', 'blockOwnerDeletion'),
    }),
    'uid',
  ),
  finalizers: s.listSet(s.str()),
  managedFields: s.json(),
  selfLink: s.unsupported(''),
};

export type ObjectMeta = s.ObjectOf<typeof objectMetaFields>;

/** A stored object's metadata: what the API server has filled in is there. */
export type StoredMeta = ObjectMeta & {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
};

export type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];
