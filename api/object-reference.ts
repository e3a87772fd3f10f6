import * as s from './schema.ts';

/** core/v1 ObjectReference: points at an object, or (fieldPath) at a part of it. */
export const objectReferenceFields = {
  ...s.all(s.str(), 'kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion'),
  fieldPath: s.str().doc('Part of the object, as spec.containers{web}.'),
};

export type ObjectReference = s.ObjectOf<typeof objectReferenceFields>;
