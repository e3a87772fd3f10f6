import { isObject, own } from '../../../api/normalize.ts';
import { isSame } from '../../../api/same.ts';
import { StatusError } from '../../../api/status.ts';

/**
 * RFC 6902. All operations or none: works on a copy.
 * @throws StatusError BadRequest for what is no patch, Invalid for an operation that doesn't fit the object.
 */
export function applyJsonPatch(object: unknown, patch: unknown): unknown {
  const operations = parseOperations(patch);
  const root = { document: structuredClone(object), copiedBytes: 0 };
  for (const [index, operation] of operations.entries()) {
    const failure = applyOne(root, operation);
    if (failure !== undefined) throw refused(index, operation, failure);
    if (root.copiedBytes > MAX_COPIED_BYTES)
      throw new StatusError('RequestEntityTooLarge', 'the patched object would be too large');
  }
  return root.document;
}

interface Operation {
  readonly op: (typeof OPS)[number];
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

const MAX_OPERATIONS = 10_000;
/** Of all copies together, as in Kubernetes: a few lines of "copy" would double an object without end. */
const MAX_COPIED_BYTES = 3 * 1024 * 1024;
const OPS = ['add', 'remove', 'replace', 'move', 'copy', 'test'] as const;

function parseOperations(patch: unknown): readonly Operation[] {
  if (!Array.isArray(patch)) throw malformed('must be a list of operations');
  if (patch.length > MAX_OPERATIONS)
    throw new StatusError(
      'RequestEntityTooLarge',
      `the allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  return patch.map((operation: unknown, index) => {
    if (!isOperation(operation)) throw malformed(`operation ${index} is none`);
    return operation;
  });
}

function isOperation(value: unknown): value is Operation {
  if (!isObject(value) || !isPointer(value.path)) return false;
  if (!OPS.some((op) => op === value.op)) return false;
  if (value.op === 'move' || value.op === 'copy') return isPointer(value.from);
  return value.op === 'remove' || 'value' in value;
}

/** RFC 6901 */
const isPointer = (value: unknown) => typeof value === 'string' && /^(\/|$)/.test(value);

interface Root {
  document: unknown;
  copiedBytes: number;
}

/** What is wrong, if anything. Values are copied: what is added may be changed by what follows. */
function applyOne(root: Root, { op, path, from = path, value }: Operation): string | undefined {
  const target = placeOf(root, path);
  if (op === 'add') return add(target, structuredClone(value));
  const source = op === 'move' || op === 'copy' ? placeOf(root, from) : target;
  const present = member(source.parent, source.key);
  if (present === undefined) return `nothing is there: ${JSON.stringify(from)}`;
  if (op === 'test') return isSame(present, value) ? undefined : 'the test failed';
  if (op === 'copy') {
    const text = JSON.stringify(present);
    root.copiedBytes += text.length;
    return add(target, JSON.parse(text));
  }
  if (op === 'replace') return set(target, structuredClone(value));
  if (op === 'move' && path.startsWith(`${from}/`)) return 'nothing can be moved into itself';
  remove(source);
  return op === 'move' ? add(placeOf(root, path), present) : undefined;
}

type Place = Readonly<{ parent: unknown; key: string }>;

function placeOf(root: Root, pointer: string): Place {
  const steps = `document${pointer}`.split('/');
  const keys = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const key = keys.pop() ?? '';
  return { parent: keys.reduce<unknown>(member, root), key };
}

const INDEX = /^(0|[1-9]\d{0,9})$/;

/** Only what is the document's own, never what JavaScript's objects inherit. undefined: nothing, as JSON has no such value. */
function member(parent: unknown, key: string): unknown {
  if (Array.isArray(parent)) return INDEX.test(key) ? parent[Number(key)] : undefined;
  return isObject(parent) ? own(parent, key) : undefined;
}

function add({ parent, key }: Place, value: unknown): string | undefined {
  if (!Array.isArray(parent)) return set({ parent, key }, value);
  const index = key === '-' ? parent.length : INDEX.test(key) ? Number(key) : Number.NaN;
  if (!(index <= parent.length)) return `the list has no place ${JSON.stringify(key)}`;
  parent.splice(index, 0, value);
  return undefined;
}

/** Defined, not assigned: "__proto__" is a name like any other. */
function set({ parent, key }: Place, value: unknown): string | undefined {
  if (!Array.isArray(parent) && !isObject(parent)) return 'its parent is not there';
  Object.defineProperty(parent, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
  return undefined;
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (isObject(parent)) Reflect.deleteProperty(parent, key);
}

const malformed = (why: string) =>
  new StatusError('BadRequest', `error decoding patch: a JSON patch ${why}`);

const refused = (index: number, { op, path }: Operation, why: string): StatusError =>
  new StatusError(
    'Invalid',
    `the server rejected our request due to an error in our request: patch operation ${index} (${op} ${path}): ${why}`,
  );
