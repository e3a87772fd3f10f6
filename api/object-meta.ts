import * as s from './schema.ts';

const ownerFields = {
  ...s.all(s.str().doc("The owner's.").required(), 'apiVersion', 'kind', 'name', 'uid'),
  controller: s.bool().doc('This owner manages it; one at most.'),
  blockOwnerDeletion: s.bool().doc('A foreground deletion of the owner waits for it.'),
};

/** metav1.ObjectMeta as orc keeps it. Written by the user but for uid, resourceVersion, generation and the timestamps. */
export const objectMetaFields = {
  name: s.str().doc("Unique among its kind in the namespace. Can't be changed."),
  generateName: s.str().doc('Without a name: the beginning of one; the rest is random.'),
  namespace: s.str().doc("Where its name is unique; default: the request's."),
  uid: s.str().doc('Another one for each object, also of the same name.'),
  resourceVersion: s.str().doc("Another one after each change; sent back: only if it's still so."),
  generation: s.long().doc('Counts the changes of the spec.'),
  creationTimestamp: s.time().doc('When it was made.'),
  deletionTimestamp: s.time().doc('It goes: when its grace is over and nothing holds it.'),
  deletionGracePeriodSeconds: s.long({ min: 0 }).doc('The grace that it was given.'),
  labels: s.map(s.str()).doc('For selecting: Services, controllers and people find it by these.'),
  annotations: s.map(s.str()).doc('Notes of tools and people; nothing selects by them.'),
  ownerReferences: s
    .listMap(s.obj(ownerFields), 'uid')
    .doc('When all of these are gone, it goes too.'),
  finalizers: s.listSet(s.str()).doc("It stays, while it is deleted, until the last one's gone."),
  managedFields: s
    .list(
      s.obj({
        ...s.all(s.str(), 'manager', 'operation', 'apiVersion', 'fieldsType', 'subresource'),
        time: s.time().doc('When it last did.'),
        fieldsV1: s.map(s.json()).doc('The fields, as a tree.'),
      }),
    )
    .doc(
      'Who gave which fields their values, since a server-side apply; without what orc itself writes. One empty entry clears it.',
    ),
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
