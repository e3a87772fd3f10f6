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
  if (read.uid) checkUid(kind, stored, read.uid);
  if (read.resourceVersion && read.resourceVersion !== resourceVersion)
    throw conflict(kind, name, modifiedMeanwhile);
}

/** Throws Conflict. */
export function checkPreconditions(
  kind: Kind,
  object: AnyObject,
  { preconditions: { uid, resourceVersion } = {} }: DeleteOptions,
): void {
  if (uid !== undefined) checkUid(kind, object, uid);
  if (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion)
    throw conflict(
      kind,
      object.metadata.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${object.metadata.resourceVersion}`,
    );
}

function checkUid(kind: Kind, { metadata: { name, uid } }: AnyObject, wanted: string): void {
  if (wanted === uid) return;
  const message = `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid}`;
  throw conflict(kind, name, message);
}
