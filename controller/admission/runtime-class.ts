import { Pod } from '../../api/pod.ts';
import { RuntimeClass } from '../../api/runtime-class.ts';
import { forbidden } from '../../api/status.ts';
import { type Admission, isOf } from './admission.ts';

/** A pod that no node could run is refused at once. */
export const checkRuntimeClass: Admission = async (candidate, { cache, objects }) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, Pod) || candidate.previous) return object;
  const { runtimeClassName: name } = candidate.object.spec;
  if (name === undefined) return object;
  const key = { namespace: '', name };
  if (cache.get(RuntimeClass, key) ?? (await objects.get(RuntimeClass, key))) return object;
  const why = `pod rejected: RuntimeClass "${name}" not found`;
  const causes = [{ reason: 'FieldValueNotFound', message: why, field: 'spec.runtimeClassName' }];
  throw forbidden(Pod, shownName, { why, causes });
};
