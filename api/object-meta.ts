import {
  bool,
  json,
  listMap,
  listSet,
  long,
  map,
  type ObjectOf,
  obj,
  required,
  str,
  time,
  unsupported,
} from './schema.ts';

/** metav1.ObjectMeta as orc keeps it. Written by the user but for uid, resourceVersion, generation and the timestamps. */
export const objectMetaFields = {
  name: str(),
  generateName: str(),
  namespace: str(),
  uid: str(),
  resourceVersion: str(),
  generation: long(),
  creationTimestamp: time(),
  deletionTimestamp: time(),
  deletionGracePeriodSeconds: long({ min: 0 }),
  labels: map(str()),
  annotations: map(str()),
  ownerReferences: listMap(
    obj({
      apiVersion: required(str()),
      kind: required(str()),
      name: required(str()),
      uid: required(str()),
      controller: bool(),
      blockOwnerDeletion: bool(),
    }),
    { keys: ['uid'] },
  ),
  finalizers: listSet(str()),
  managedFields: json(),
  selfLink: unsupported(''),
};

export type ObjectMeta = ObjectOf<typeof objectMetaFields>;

/** A stored object's metadata: what the API server has filled in is there. */
export type StoredMeta = ObjectMeta & {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
};

export type OwnerReference = NonNullable<ObjectMeta['ownerReferences']>[number];
