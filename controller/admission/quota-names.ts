import * as field from '../../api/field-error.ts';
import { ResourceQuota } from '../../api/resource-quota.ts';
import { invalid } from '../../api/status.ts';
import { type Admission, isOf } from './admission.ts';
import { quotaNames } from './quota-usage.ts';

/** A quota for what isn't served here, or isn't counted, would be kept by nobody. */
export const checkQuotaNames: Admission = async (candidate, { kinds }) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, ResourceQuota)) return object;
  const known = new Set(kinds.flatMap(quotaNames));
  const at = field.fieldPath('spec')('hard');
  const errors = Object.keys(candidate.object.spec.hard ?? {})
    .filter((name) => !known.has(name))
    .map((name) => field.unsupported(at(name)));
  if (errors.length > 0) throw invalid(ResourceQuota, shownName, errors);
  return object;
};
