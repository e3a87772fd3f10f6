import * as s from './schema.ts';

/** metav1.ObjectMeta as orc keeps it. Written by the user but for uid, resourceVersion, generation and the timestamps. */
export const objectMetaFields = {
  name: s.str(),
  generateName: s.str(),
  namespace: s.str(),
  uid: s.str(),
  resourceVersion: s.str(),
  generation: s.long(),
  creationTimestamp: s.time(),
  deletionTimestamp: s.time(),
  deletionGracePeriodSeconds: s.long({ min: 0 }),
  labels: s.map(s.str()),
  annotations: s.map(s.str()),
  ownerReferences: s.listMap(
    s.obj({
      apiVersion: s.str().required(),
      kind: s.str().required(),
      name: s.str().required(),
      uid: s.str().required(),
      controller: s.bool(),
      blockOwnerDeletion: s.bool(),
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
