import type { AnyObject } from '../../../api/kind.ts';
import { isObject } from '../../../api/normalize.ts';
import { isSame } from '../../../api/same.ts';
import { StatusError } from '../../../api/status.ts';
import { type Conflict, conflictError, conflictsWith } from './apply-conflicts.ts';
import { mergeApplied, removeFields } from './apply-merge.ts';
import { type FieldSet, intersection, isLeaf, withEntries, without } from './field-set.ts';
import { fieldsOfClient, kubectlManager, withNote } from './last-applied.ts';
import {
  arranged,
  entryOf,
  isBy,
  type ManagedFields,
  managedFieldsOf,
  ownable,
  type Writer,
} from './managed-fields.ts';

export interface ApplyRequest {
  /** undefined: the object is created. */
  readonly live: unknown;
  /** What the client wants, in part: JSON without nulls. */
  readonly applied: unknown;
  /** Takes over fields that others have given other values. */
  readonly force: boolean;
}

/**
 * Server-side apply: the live object with what is applied merged in, and without what this manager applied before and
 * no longer does, unless another has it too. Who has what is kept in metadata.managedFields.
 * @throws StatusError BadRequest, or Conflict with a cause for every field that another manager holds.
 */
export function applyServerSide(writer: Writer, { live, applied, force }: ApplyRequest): unknown {
  if (!isObject(applied)) throw new StatusError('BadRequest', 'an apply patch must be an object');
  if (isObject(applied.metadata) && applied.metadata.managedFields !== undefined)
    throw new StatusError('BadRequest', 'metadata.managedFields must be nil');
  const { manager } = writer;
  const { schema } = writer.kind;
  const entries = entriesOf(writer, live);
  const isOwn = isBy(writer);
  const before = entries.find(isOwn);
  const owned = ownable(writer, applied);
  const foreign = entries.filter((entry) => !isOwn(entry));
  const conflicts = conflictsWith({ schema, live, next: applied, owned, others: foreign });
  if (!force) refuse(conflicts, manager === kubectlManager ? fieldsOfClient(schema, live) : {});
  const others = conflicts.map(({ entry, fields }) =>
    isLeaf(fields) ? entry : { ...entry, fieldsV1: without(entry.fieldsV1, [fields]) },
  );
  const dropped = before ? without(before.fieldsV1, [owned, ...others.map(heldBy)]) : {};
  const merged = mergeApplied(schema, removeFields(schema, live ?? {}, dropped), applied);
  // Applying the same again changes nothing at all.
  const time = before && isSame(before.fieldsV1, owned) ? before.time : writer.time;
  const managedFields = arranged([...others, entryOf({ ...writer, time }, owned)]);
  const noted = manager === kubectlManager ? withNote(schema, merged, applied) : merged;
  const whole = noted as Partial<AnyObject>;
  return { ...whole, metadata: { ...whole.metadata, managedFields } };
}

const heldBy = ({ fieldsV1 }: ManagedFields): FieldSet => withEntries(fieldsV1);

/**
 * Of an object without entries kubectl's client has what it noted, so that it can go over to server-side apply; the
 * rest is nobody's in particular, by the name that Kubernetes gives it.
 */
function entriesOf(by: Writer, live: unknown): readonly ManagedFields[] {
  const entries = managedFieldsOf(live);
  if (entries.length > 0 || live === undefined) return entries;
  const writer = { ...by, subresource: '', operation: 'Update' } as const;
  const all = ownable(writer, live);
  const noted = intersection(all, fieldsOfClient(writer.kind.schema, live));
  const entry = (manager: string, fields: FieldSet) => entryOf({ ...writer, manager }, fields);
  return [
    entry('kubectl-client-side-apply', noted),
    entry('before-first-apply', without(all, [noted])),
  ];
}

function refuse(conflicts: readonly Conflict[], free: FieldSet): void {
  const held = conflicts
    .map(({ entry, fields }) => ({ entry, fields: without(fields, [free]) }))
    .filter(({ fields }) => !isLeaf(fields));
  if (held.length > 0) throw conflictError(held);
}
