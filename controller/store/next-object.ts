import type { AnyObject, Kind } from '../../api/kind.ts';
import { isSame } from '../../api/same.ts';

export type Part = 'main' | 'status' | 'all';

/**
 * What is stored when `stored` is updated with `wanted` by someone who owns `part`: identity and life cycle stay as
 * they are, the generation counts changes of the spec. Returns `stored` itself if nothing changes.
 */
export function nextObject(kind: Kind, stored: AnyObject, update: Update): AnyObject {
  const wanted = ownedPart(kind, stored, update);
  const { uid, creationTimestamp, resourceVersion, generation } = stored.metadata;
  const { deletionTimestamp, deletionGracePeriodSeconds } = stored.metadata;
  const next = plain({
    ...wanted,
    metadata: {
      ...wanted.metadata,
      uid,
      creationTimestamp,
      resourceVersion,
      generation,
      deletionTimestamp,
      deletionGracePeriodSeconds,
    },
  });
  if (isSame(next, stored)) return stored;
  if (!kind.hasGeneration || isSame(next.spec, stored.spec)) return next;
  return { ...next, metadata: { ...next.metadata, generation: (generation ?? 0) + 1 } };
}

export interface Update {
  readonly wanted: AnyObject;
  readonly part: Part;
}

function ownedPart(kind: Kind, stored: AnyObject, { wanted, part }: Update): AnyObject {
  if (!kind.hasStatus || part === 'all') return wanted;
  return part === 'main'
    ? { ...wanted, status: stored.status }
    : { ...stored, status: wanted.status };
}

/** As it will come back from the store: without fields that hold undefined. */
export function plain<T>(object: T): T {
  return JSON.parse(JSON.stringify(object)) as T;
}
