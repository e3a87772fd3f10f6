import { Pod } from '../../api/pod.ts';
import { PriorityClass } from '../../api/priority-class.ts';
import { forbidden } from '../../api/status.ts';
import { type Admission, type AdmissionDeps, isOf } from './admission.ts';

/** A pod gets what its class says, or the default one. */
export const fillPriority: Admission = async (candidate, deps) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, Pod) || candidate.previous) return object;
  const { spec } = candidate.object;
  const priorityClass = await classOf(spec.priorityClassName, deps);
  const refuse = (why: string) => forbidden(Pod, shownName, { why });
  if (spec.priorityClassName && !priorityClass)
    throw refuse(`no PriorityClass with name ${spec.priorityClassName} was found`);
  const priority = priorityClass?.value ?? 0;
  const preemptionPolicy = priorityClass?.preemptionPolicy ?? 'PreemptLowerPriority';
  const computed = [
    ['integer value of priority', spec.priority, priority],
    ['string value of PreemptionPolicy', spec.preemptionPolicy, preemptionPolicy],
  ] as const;
  for (const [what, given, value] of computed)
    if (given !== undefined && given !== value)
      throw refuse(
        `the ${what} (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
  const named = priorityClass && { priorityClassName: priorityClass.metadata.name };
  return { ...object, spec: { ...spec, ...named, priority, preemptionPolicy } };
};

/** One is the default, also where two are made at once: the class claims it. Kubernetes says it in other words. */
export const checkDefaultClass: Admission = async (candidate, { cache }) => {
  const { object, shownName } = candidate;
  if (!isOf(candidate, PriorityClass) || !candidate.object.globalDefault) return object;
  const other = defaultClass(cache);
  if (!other || other.metadata.name === object.metadata.name) return object;
  const why = `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`;
  throw forbidden(PriorityClass, shownName, { why });
};

async function classOf(name: string | undefined, { cache, objects }: AdmissionDeps) {
  if (!name) return defaultClass(cache);
  const key = { namespace: '', name };
  return cache.get(PriorityClass, key) ?? objects.get(PriorityClass, key);
}

const defaultClass = (cache: AdmissionDeps['cache']) =>
  cache.list(PriorityClass).find(({ globalDefault }) => globalDefault);
