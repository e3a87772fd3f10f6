import type { StoredMeta } from '../../api/object-meta.ts';
import type { Objects } from './objects.ts';

/** Objects that remember the newest revision they wrote, so that a loop can wait until the cache has it. */
export interface OwnWrites {
  readonly objects: Objects;
  newestRevision(): number;
}

export function ownWrites(objects: Objects): OwnWrites {
  let newest = 0;
  const seen = (written: { readonly metadata: StoredMeta } | undefined) => {
    newest = Math.max(newest, Number(written?.metadata.resourceVersion ?? 0));
  };
  return {
    newestRevision: () => newest,
    objects: {
      get: (kind, key) => objects.get(kind, key),
      async create(kind, object) {
        const written = await objects.create(kind, object);
        seen(written);
        return written;
      },
      async update(kind, object, part) {
        const written = await objects.update(kind, object, part);
        seen(written);
        return written;
      },
      async modify(kind, target, change) {
        const written = await objects.modify(kind, target, change);
        seen(written);
        return written;
      },
      async delete(kind, key, options) {
        const outcome = await objects.delete(kind, key, options);
        if (outcome.outcome !== 'absent') seen(outcome.object);
        return outcome;
      },
    },
  };
}
