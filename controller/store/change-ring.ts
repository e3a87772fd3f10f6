import type { ObjectChange } from './cache.ts';

/** The newest changes, for watches that resume. */
export interface ChangeRing {
  add(change: ObjectChange): void;
  /** undefined: some of them are forgotten. */
  since(revision: number): readonly ObjectChange[] | undefined;
  /** Forgets everything; what comes next is later than this revision. */
  reset(revision: number): void;
}

export function changeRing(limit: number): ChangeRing {
  let changes: ObjectChange[] = [];
  let knownAfter = 0;
  return {
    add(change) {
      changes.push(change);
      if (changes.length < 2 * limit) return;
      const dropped = changes.length - limit;
      knownAfter = changes[dropped - 1]?.revision ?? knownAfter;
      changes = changes.slice(dropped);
    },
    since(revision) {
      if (revision < knownAfter) return undefined;
      const last = changes.findLastIndex((change) => change.revision <= revision);
      return changes.slice(last + 1);
    },
    reset(revision) {
      changes = [];
      knownAfter = revision;
    },
  };
}
