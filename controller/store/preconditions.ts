import type { AnyObject, Kind } from '../../api/kind.ts';
import { conflict } from '../../api/status.ts';
import type { DeleteOptions } from './objects.ts';

export const modifiedMeanwhile =
  'the object has been modified; please apply your changes to the latest version and try again';

/** To delete this very object, and none that has its name by now. */
export const onlyThis = ({ metadata: { uid } }: Pick<AnyObject, 'metadata'>) => ({
  preconditions: { uid },
});

type Identity = NonNullable<DeleteOptions['preconditions']>;

/** What a writer has read is what is stored, as far as it says. Throws Conflict. */
export function checkUnchanged(kind: Kind, stored: AnyObject, read: Identity): void {
  const { name, resourceVersion } = stored.metadata;
  if (read.uid) checkPreconditions(kind, stored, { preconditions: { uid: read.uid } });
  if (read.resourceVersion && read.resourceVersion !== resourceVersion)
    throw conflict(kind, name, modifiedMeanwhile);
}

const labels = { uid: 'UID', resourceVersion: 'ResourceVersion' } as const;

/** Throws Conflict. */
export function checkPreconditions(kind: Kind, object: AnyObject, options: DeleteOptions): void {
  const { metadata } = object;
  const { preconditions: wanted = {} } = options;
  for (const field of ['uid', 'resourceVersion'] as const) {
    if (wanted[field] === undefined || wanted[field] === metadata[field]) continue;
    const label = labels[field];
    const found = `${label} in precondition: ${wanted[field]}, ${label} in object meta: ${metadata[field]}`;
    throw conflict(kind, metadata.name, `Precondition failed: ${found}`);
  }
}
