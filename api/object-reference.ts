import { type ObjectOf, str } from './schema.ts';

/** core/v1 ObjectReference: points at an object, or (fieldPath) at a part of it. */
export const objectReferenceFields = {
  kind: str(),
  namespace: str(),
  name: str(),
  uid: str(),
  apiVersion: str(),
  resourceVersion: str(),
  fieldPath: str({ about: 'Part of the object, as spec.containers{web}.' }),
};

export type ObjectReference = ObjectOf<typeof objectReferenceFields>;
