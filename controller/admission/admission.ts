import type { AnyObject, Kind, NewObject } from '../../api/kind.ts';
import type { Fields } from '../../api/schema.ts';
import type { Cache, TiedObjects } from '../store/objects.ts';

/** An object about to be written, valid by itself: what the rest of the cluster says to it is still to be asked. */
export interface Candidate<F extends Fields = Fields> {
  readonly kind: Kind<F>;
  readonly object: NewObject<F>;
  /** What it replaces; undefined: it is new. */
  readonly previous?: AnyObject | undefined;
  /** As errors call it: what has a generateName has no name yet. */
  readonly shownName: string;
}

export interface AdmissionDeps {
  readonly cache: Cache;
  readonly objects: TiedObjects;
}

/** Gives the object as it shall be written, or throws Forbidden in Kubernetes' words. Both clients' writes and loops' pass through. */
export type Admission = (candidate: Candidate, deps: AdmissionDeps) => Promise<NewObject<Fields>>;

/** So that its fields can be read. */
export const isOf = <F extends Fields>(
  candidate: Candidate,
  kind: Kind<F>,
): candidate is Candidate<F> => candidate.kind === (kind as Kind);
