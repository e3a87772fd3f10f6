import type { AnyObject } from '../api/kind.ts';
import { childSchema, isObject, own } from '../api/normalize.ts';
import { isSame } from '../api/same.ts';
import type { Schema } from '../api/schema.ts';

/** A field that is to be another. undefined: it isn't there. */
export interface FieldChange {
  /** "spec.template.spec.containers[web].image": an entry of a list is called by what tells it apart. */
  readonly path: string;
  /** The same by its place in what was written: "spec.template.spec.containers[0].image". */
  readonly writtenAt: string;
  readonly before: unknown;
  readonly after: unknown;
}

interface Change {
  readonly before: AnyObject;
  readonly after: AnyObject;
  /** The body that shall make the one the other. */
  readonly written: unknown;
}

/** What a person would call a change: who set a field, and which revision it is, is none. Pure. */
export const isUnchanged = (before: AnyObject, after: AnyObject): boolean =>
  isSame(comparable(before), comparable(after));

export const comparable = (object: AnyObject) => {
  const { managedFields: _m, generation: _g, resourceVersion: _r, ...told } = object.metadata;
  return { ...object, metadata: told };
};

/** Field by field, without the defaults that come and go with what they are of. Pure. */
export function planChanges(schema: Schema, change: Change): readonly FieldChange[] {
  const before = leavesOf(schema, comparable(change.before));
  const after = leavesOf(schema, comparable(change.after));
  const written = leavesOf(schema, change.written);
  const paths = [...new Set([...after.keys(), ...before.keys()])];
  return paths.flatMap((path) => {
    const [old, now, given] = [before.get(path), after.get(path), written.get(path)];
    if (isSame(old?.value, now?.value)) return [];
    const isOneSided = old === undefined || now === undefined;
    if (isOneSided && given === undefined && (old ?? now)?.isDefault) return [];
    const isFilled = now === undefined && paths.some((one) => one.startsWith(`${path}.`));
    if (isFilled) return [];
    const writtenAt = given?.at ?? path;
    return { path, writtenAt, before: old?.value, after: now?.value };
  });
}

interface Leaf {
  readonly value: unknown;
  /** Its path by numbers. */
  readonly at: string;
  readonly isDefault: boolean;
}

/** What has nothing within, by its path. A list is taken apart where its entries have names. */
function leavesOf(schema: Schema | undefined, value: unknown): ReadonlyMap<string, Leaf> {
  const leaves = new Map<string, Leaf>();
  const walk = (
    part: Schema | undefined,
    inner: unknown,
    [path, at]: readonly [string, string],
  ) => {
    const nameOf = namerOf(part);
    if (isObject(inner) && Object.keys(inner).length > 0)
      for (const [name, field] of Object.entries(inner))
        walk(childSchema(part, name), field, [within(path, name), within(at, name)]);
    else if (Array.isArray(inner) && nameOf)
      for (const [index, entry] of inner.entries())
        walk(nameOf.item, entry, [`${path}[${nameOf.of(entry)}]`, `${at}[${index}]`]);
    else if (inner !== undefined)
      leaves.set(path, { value: inner, at, isDefault: part?.presence === 'default' });
  };
  walk(schema, value, ['', '']);
  return leaves;
}

/** Names a list's entries by the fields that tell them apart; undefined: it has no such. */
function namerOf(schema: Schema | undefined) {
  const shape = schema?.shape;
  if (shape?.kind !== 'list' || shape.merge.as !== 'map') return undefined;
  const { item, merge } = shape;
  const keyOf = (entry: unknown, key: string) =>
    (isObject(entry) ? own(entry, key) : undefined) ?? childSchema(item, key)?.fallback;
  return { item, of: (entry: unknown) => merge.keys.map((key) => keyOf(entry, key)).join('/') };
}

/** As errors name fields: "metadata.labels[example.com/tier]". */
function within(path: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) return `${path}[${name}]`;
  return path === '' ? name : `${path}.${name}`;
}
