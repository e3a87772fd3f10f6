import { childSchema, isObject } from '../../../api/normalize.ts';
import type { Schema } from '../../../api/schema.ts';
import { StatusError } from '../../../api/status.ts';
import { type ListShape, type ObjectMap, strategicMergeList } from './strategic-merge-list.ts';

/**
 * Kubernetes' strategic merge patch: as RFC 7386, but lists with keys are merged entry by entry, and directives
 * ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList) say what a plain merge can't.
 * Source: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
 * @throws StatusError BadRequest for a directive that makes no sense.
 */
export function applyStrategicMergePatch(schema: Schema, target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw new StatusError('BadRequest', 'a patch must be an object');
  return mergeObject(schema, isObject(target) ? target : {}, patch);
}

function mergeObject(schema: Schema, target: ObjectMap, patch: ObjectMap): ObjectMap {
  const { $patch: directive, $retainKeys: retained, ...changes } = patch;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'replace' && directive !== 'merge')
    throw new StatusError('BadRequest', `unknown patch directive ${JSON.stringify(directive)}`);
  const start = directive === 'replace' ? {} : retain(target, retained);
  const merged = new Map(Object.entries(start));
  for (const name of fieldsOf(changes)) {
    const change = changes[name];
    if (change === null) merged.delete(name);
    else
      merged.set(
        name,
        mergeField(childSchema(schema, name), merged.get(name), listChange(changes, name)),
      );
  }
  return Object.fromEntries(merged);
}

const ORDER = '$setElementOrder/';
const DELETE = '$deleteFromPrimitiveList/';

/** The fields that a patch concerns, directives for lists among them. */
function fieldsOf(changes: ObjectMap): ReadonlySet<string> {
  const names = Object.keys(changes).map((name) =>
    name.startsWith(ORDER) || name.startsWith(DELETE) ? name.slice(name.indexOf('/') + 1) : name,
  );
  return new Set(names);
}

/** What a patch says about one field: its value, and the directives that stand beside it. */
interface FieldChange {
  readonly value: unknown;
  readonly order: readonly unknown[] | undefined;
  readonly deletions: readonly unknown[];
}

function listChange(changes: ObjectMap, name: string): FieldChange {
  const order = changes[`${ORDER}${name}`];
  const deletions = changes[`${DELETE}${name}`];
  if (order !== undefined && !Array.isArray(order)) throw notAList(`${ORDER}${name}`);
  if (deletions !== undefined && !Array.isArray(deletions)) throw notAList(`${DELETE}${name}`);
  return { value: changes[name], order, deletions: deletions ?? [] };
}

function mergeField(schema: Schema | undefined, target: unknown, change: FieldChange): unknown {
  const { value, order, deletions } = change;
  if (value === undefined || Array.isArray(value)) {
    const isListChange = value !== undefined || order !== undefined || deletions.length > 0;
    if (!isListChange) return target;
    return strategicMergeList(listShapeOf(schema), Array.isArray(target) ? target : [], {
      items: value,
      order,
      deletions,
      merge: (item, before, patch) => mergeObject(item, before, patch),
    });
  }
  if (!isObject(value)) return value;
  return mergeObject(schema ?? ANYTHING, isObject(target) ? target : {}, value);
}

/** What the schema doesn't know is merged as plain JSON; the check of its shape will name it. */
const ANYTHING: Schema = { shape: { kind: 'json' }, presence: 'optional' };
const ANY_LIST: ListShape = {
  kind: 'list',
  item: ANYTHING,
  merge: { as: 'atomic' },
  max: Number.POSITIVE_INFINITY,
};

function listShapeOf(schema: Schema | undefined): ListShape {
  return schema?.shape.kind === 'list' ? schema.shape : ANY_LIST;
}

function retain(target: ObjectMap, retained: unknown): ObjectMap {
  if (retained === undefined) return target;
  if (!Array.isArray(retained)) throw notAList('$retainKeys');
  return Object.fromEntries(Object.entries(target).filter(([name]) => retained.includes(name)));
}

const notAList = (what: string) => new StatusError('BadRequest', `${what} must be a list`);
