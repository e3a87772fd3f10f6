import { fieldPath } from '../../api/field-error.ts';
import type { NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { invalid } from '../../api/status.ts';
import type { Alongside, Objects } from '../store/objects.ts';
import type { Admission, AdmissionDeps, Candidate } from './admission.ts';
import { checkDefinition } from './definition.ts';
import { applyLimitRanges } from './limit-range.ts';
import { checkDefaultClass, fillPriority } from './priority.ts';
import { checkQuotaNames, quotaCharges } from './quota.ts';
import { checkRuntimeClass } from './runtime-class.ts';

/** In this order: what fills in comes before what counts. */
const admissions: readonly Admission[] = [
  checkDefinition,
  checkRuntimeClass,
  fillPriority,
  checkDefaultClass,
  applyLimitRanges,
  checkQuotaNames,
];

export interface Admitted<F extends Fields> {
  readonly object: NewObject<F>;
  /** What changes with it, in one transaction: quotas, which may refuse it then. */
  readonly alongside: readonly Alongside[];
}

export async function admit<F extends Fields>(
  candidate: Candidate<F>,
  deps: AdmissionDeps,
): Promise<Admitted<F>> {
  // The kind goes along unchanged, so what comes back is of its fields.
  let admitted = candidate as Candidate;
  for (const admission of admissions)
    admitted = { ...admitted, object: await admission(admitted, deps) };
  if (admitted.object !== candidate.object) checkAgain(admitted);
  const object = admitted.object as NewObject<F>;
  return { object, alongside: quotaCharges(admitted, deps.cache) };
}

/** What loops make is admitted as what clients do. */
export function admitting(deps: AdmissionDeps): Objects {
  return {
    ...deps.objects,
    async create(kind, wanted) {
      const { name, generateName = '' } = wanted.metadata;
      const candidate = { kind, object: wanted, shownName: name ?? generateName };
      const { object, alongside } = await admit(candidate, deps);
      return deps.objects.alongside(alongside).create(kind, object);
    },
  };
}

/** For who only asks what would become of it: what would refuse the write refuses the question. */
export function pretendWrite(alongside: readonly Alongside[], { cache }: AdmissionDeps): void {
  for (const { kind, key, change } of alongside) {
    const present = cache.get(kind, key);
    if (present) change(present);
  }
}

/** What was filled in may contradict what was there. */
function checkAgain({ kind, object, shownName }: Candidate): void {
  const errors = kind.validate(object as Parameters<typeof kind.validate>[0], fieldPath());
  if (errors.length > 0) throw invalid(kind, shownName, errors);
}
