import * as s from './schema.ts';

/** core/v1 ObjectReference: points at an object, or (fieldPath) at a part of it. */
export const objectReferenceFields = {
  kind: s.str(),
  namespace: s.str(),
  name: s.str(),
  uid: s.str(),
  apiVersion: s.str(),
  resourceVersion: s.str(),
  fieldPath: s.str().doc('Part of the object, as spec.containers{web}.'),
};

export type ObjectReference = s.ObjectOf<typeof objectReferenceFields>;
