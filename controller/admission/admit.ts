import { fieldPath } from '../../api/field-error.ts';
import type { NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import { invalid } from '../../api/status.ts';
import type { Admission, AdmissionDeps, Candidate } from './admission.ts';
import { checkDefinition } from './definition.ts';
import { checkRuntimeClass } from './runtime-class.ts';

/** In this order: what fills in comes before what counts. */
const admissions: readonly Admission[] = [checkDefinition, checkRuntimeClass];

export async function admit<F extends Fields>(
  candidate: Candidate<F>,
  deps: AdmissionDeps,
): Promise<NewObject<F>> {
  // The kind goes along unchanged, so what comes back is of its fields.
  let admitted = candidate as Candidate;
  for (const admission of admissions)
    admitted = { ...admitted, object: await admission(admitted, deps) };
  if (admitted.object !== candidate.object) checkAgain(admitted);
  return admitted.object as NewObject<F>;
}

/** What was filled in may contradict what was there. */
function checkAgain({ kind, object, shownName }: Candidate): void {
  const errors = kind.validate(object as Parameters<typeof kind.validate>[0], fieldPath());
  if (errors.length > 0) throw invalid(kind, shownName, errors);
}
