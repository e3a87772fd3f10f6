import { type AnyObject, apiVersionOf, type Kind, type NewObject } from '../../api/kind.ts';
import { isSame } from '../../api/same.ts';
import type { Fields } from '../../api/schema.ts';
import type { Base } from '../../base/base.ts';
import { formatTime } from '../../base/clock.ts';
import { generateName } from '../../base/rng.ts';
import type { Part } from './objects.ts';

/** What is stored when `wanted` is created: with the name behind generateName, and what only the store gives. */
export function newObject(
  { clock, rng }: Pick<Base, 'clock' | 'rng'>,
  kind: Kind,
  wanted: NewObject<Fields>,
): AnyObject {
  const { deletionTimestamp: _, deletionGracePeriodSeconds: __, ...metadata } = wanted.metadata;
  return plain({
    ...wanted,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      ...metadata,
      name: metadata.name || generateName(metadata.generateName ?? '', rng),
      uid: rng.uuid(),
      creationTimestamp: formatTime(clock.now()),
      resourceVersion: '',
      ...(kind.hasGeneration ? { generation: 1 } : {}),
    },
  });
}

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
  if (!kind.hasGeneration || isSame(wantedOf(kind, next), wantedOf(kind, stored))) return next;
  return { ...next, metadata: { ...next.metadata, generation: (generation ?? 0) + 1 } };
}

/** What the generation counts the changes of. */
const wantedOf = ({ hasStatus }: Kind, object: AnyObject) => ({
  ...object,
  metadata: undefined,
  ...(hasStatus && { status: undefined }),
});

export type Update<T = AnyObject> = Readonly<{ wanted: T; part: Part }>;

/** A status has its own writer. */
export function ownedPart<T extends { readonly status?: unknown }>(
  kind: Kind,
  stored: T,
  { wanted, part }: Update<T>,
): T {
  if (!kind.hasStatus || part === 'all') return wanted;
  return part === 'main'
    ? { ...wanted, status: stored.status }
    : { ...stored, status: wanted.status ?? {} };
}

/** As it will come back from the store: without fields that hold undefined. */
const plain = <T>(object: T): T => JSON.parse(JSON.stringify(object)) as T;
