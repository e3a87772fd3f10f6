import { apiVersionOf, type Kind } from '../../../api/kind.ts';
import { isObject } from '../../../api/normalize.ts';
import { isSame } from '../../../api/same.ts';
import { StatusError } from '../../../api/status.ts';
import { type Conflict, conflictsWith } from './apply-conflicts.ts';
import { mergeApplied, removeFields } from './apply-merge.ts';
import { type FieldSet, fieldsOf, isLeaf, union, without } from './field-set.ts';

export interface ApplyRequest {
  /** undefined: the object is created. */
  readonly live: unknown;
  /** What the client wants, in part: JSON without nulls. */
  readonly applied: unknown;
  readonly manager: string;
  /** Takes over fields that others have applied differently. */
  readonly force: boolean;
  /** RFC 3339 */
  readonly time: string;
}

/**
 * Server-side apply: the live object with what is applied merged in, and without what this manager applied before and
 * no longer does, unless another applies it too. Who applies what is kept in metadata.managedFields. Fields changed in
 * other ways (kubectl edit, controllers) have no owner here.
 * @throws StatusError BadRequest, or Conflict with a cause for every field that another manager holds.
 */
export function applyServerSide(
  kind: Pick<Kind, 'group' | 'version' | 'schema'>,
  { live, applied, manager, force, time }: ApplyRequest,
): unknown {
  if (!isObject(applied)) throw new StatusError('BadRequest', 'an apply patch must be an object');
  if (isObject(applied.metadata) && applied.metadata.managedFields !== undefined)
    throw new StatusError('BadRequest', 'metadata.managedFields must be nil');
  const entries = managedFieldsOf(live);
  const before = entries.find((entry) => isOwn(entry, manager));
  const foreign = entries.filter((entry) => !isOwn(entry, manager));
  const owned = ownedFields(kind, applied);
  const conflicts = conflictsWith(kind.schema, { live, applied, others: foreign, owned });
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);
  const others = foreign.map((entry) => yieldFields(entry, conflicts));
  const theirs = others.map(({ fieldsV1 }) => fieldsV1);
  const dropped = without(before?.fieldsV1 ?? {}, [owned, ...theirs]);
  const merged = mergeApplied(kind.schema, removeFields(kind.schema, live ?? {}, dropped), applied);
  // Applying the same again changes nothing at all.
  const isUnchanged = before !== undefined && isSame(before.fieldsV1, owned);
  const own: ManagedFields = {
    ...{ manager, operation: 'Apply', apiVersion: apiVersionOf(kind) },
    time: isUnchanged ? before.time : time,
    ...{ fieldsType: 'FieldsV1', fieldsV1: owned },
  };
  return withManagedFields(merged, [...others.filter(({ fieldsV1 }) => !isLeaf(fieldsV1)), own]);
}

interface ManagedFields {
  readonly manager: string;
  readonly operation: string;
  readonly apiVersion: string;
  readonly time: string;
  readonly fieldsType: 'FieldsV1';
  readonly fieldsV1: FieldSet;
}

const fieldSet = (names: string): FieldSet =>
  Object.fromEntries(names.split(' ').map((name) => [`f:${name}`, {}]));

/** What names the object rather than describes it. */
const UNOWNED: FieldSet = {
  ...fieldSet('apiVersion kind'),
  'f:metadata': fieldSet(
    'name generateName namespace uid resourceVersion generation creationTimestamp selfLink',
  ),
};

/** Without the status, too, which its own writers keep. */
function ownedFields({ schema }: Pick<Kind, 'schema'>, applied: unknown): FieldSet {
  const { 'f:status': _, ...owned } = fieldsOf(schema, applied);
  return without(owned, [UNOWNED]);
}

function managedFieldsOf(live: unknown): readonly ManagedFields[] {
  const { managedFields } = isObject(live) && isObject(live.metadata) ? live.metadata : {};
  return Array.isArray(managedFields) ? managedFields.filter(isManagedFields) : [];
}

const isManagedFields = (entry: unknown): entry is ManagedFields =>
  isObject(entry) && typeof entry.manager === 'string' && isObject(entry.fieldsV1);

const isOwn = ({ manager, operation }: ManagedFields, name: string) =>
  manager === name && operation === 'Apply';

function yieldFields(entry: ManagedFields, conflicts: readonly Conflict[]): ManagedFields {
  const ours = conflicts.filter(({ manager }) => manager === entry.manager);
  const lost = union(ours.map(({ fields }) => fields));
  return { ...entry, fieldsV1: without(entry.fieldsV1, [lost]) };
}

function withManagedFields(object: unknown, managedFields: readonly ManagedFields[]): unknown {
  const whole = isObject(object) ? object : {};
  const metadata = isObject(whole.metadata) ? whole.metadata : {};
  const sorted = managedFields.toSorted(
    (a, b) => a.time.localeCompare(b.time) || a.manager.localeCompare(b.manager),
  );
  return { ...whole, metadata: { ...metadata, managedFields: sorted } };
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with "${manager}"`,
    field: path,
  }));
  const list = causes.map(({ message, field }) => `${message}: ${field}`).join(', ');
  const count = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  const message = `Apply failed with ${count}: ${list}`;
  return new StatusError('Conflict', message, { details: { causes } });
}
