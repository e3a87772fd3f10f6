import type { AnyObject } from '../../../api/kind.ts';
import { normalize } from '../../../api/normalize.ts';
import type { Schema } from '../../../api/schema.ts';
import { parseJson } from '../../../base/json-text.ts';
import { mergeApplied, removeFields } from './apply-merge.ts';
import { changedFields } from './changed-fields.ts';
import { type FieldSet, fieldsOf, union, without } from './field-set.ts';

/** What kubectl notes when it applies on the client: the way to server-side apply and back goes by it. */
const note = 'kubectl.kubernetes.io/last-applied-configuration';
const noteFields: FieldSet = { 'f:metadata': { 'f:annotations': { [`f:${note}`]: {} } } };

/** The manager as which kubectl applies on the server, unless it is given another name. */
export const kubectlManager = 'kubectl';

/** Fields that kubectl applied on the client and nobody has changed since, its note among them. */
export function fieldsOfClient(schema: Schema, live: unknown): FieldSet {
  const text = noteOf(live);
  if (text === undefined) return {};
  const next = normalize(schema, parseJson(text));
  const fields = fieldsOf(schema, next);
  return union([noteFields, without(fields, [changedFields({ schema, live, next }, fields)])]);
}

/** So that applying on the client still knows what to remove; an object without such a note gets none. */
export function withNote(schema: Schema, merged: unknown, applied: unknown): unknown {
  if (noteOf(merged) === undefined) return merged;
  const text = `${JSON.stringify(removeFields(schema, applied, noteFields))}\n`;
  return mergeApplied(schema, merged, { metadata: { annotations: { [note]: text } } });
}

const noteOf = (object: unknown): string | undefined =>
  (object as Partial<AnyObject> | undefined)?.metadata?.annotations?.[note];
