import type { StoredMeta } from '../../api/object-meta.ts';
import type { Objects } from './objects.ts';

/** Objects that remember what they wrote, so that a loop can wait until the cache has it. */
export function ownWrites(objects: Objects) {
  let newest = 0;
  const underWay = new Set<Promise<unknown>>();
  const seen = (written: Written) => {
    newest = Math.max(newest, Number(written?.metadata.resourceVersion ?? 0));
  };
  /** Also of those that nobody waits for any more: one of several failed, and the pass has ended. */
  const noted = async <T>(write: Promise<T>, objectOf: (outcome: T) => Written) => {
    underWay.add(write);
    try {
      const outcome = await write;
      seen(objectOf(outcome));
      return outcome;
    } finally {
      underWay.delete(write);
    }
  };
  const noting: Objects = {
    get: (kind, key) => objects.get(kind, key),
    create: (kind, object) => noted(objects.create(kind, object), (written) => written),
    update: (kind, object, part) => noted(objects.update(kind, object, part), (written) => written),
    modify: (kind, target, change) =>
      noted(objects.modify(kind, target, change), (written) => written),
    delete: (kind, key, options) =>
      noted(objects.delete(kind, key, options), (done) =>
        done.outcome === 'absent' ? undefined : done.object,
      ),
  };
  return {
    objects: noting,
    /** Once all that is being written is written, or has failed. */
    async newestRevision(): Promise<number> {
      while (underWay.size > 0) await Promise.allSettled(underWay);
      return newest;
    },
  };
}

type Written = { readonly metadata: StoredMeta } | undefined;
