import { CustomResourceDefinition } from '../../api/custom-resource-definition.ts';
import { StatusError } from '../../api/status.ts';
import type { Admission } from './admission.ts';

/** Nothing is made of a kind whose definition is going. */
export const checkDefinition: Admission = async ({ kind, object, previous }, { cache }) => {
  if (!kind.defined || previous) return object;
  const key = { namespace: '', name: `${kind.plural}.${kind.group}` };
  const { deletionTimestamp } = cache.get(CustomResourceDefinition, key)?.metadata ?? {};
  if (deletionTimestamp === undefined) return object;
  const why = 'create not allowed while custom resource definition is terminating';
  throw new StatusError('MethodNotAllowed', why);
};
