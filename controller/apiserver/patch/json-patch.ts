import { applyPatch, type Operation } from 'rfc6902';
import { isObject } from '../../../api/normalize.ts';
import { StatusError } from '../../../api/status.ts';

/**
 * RFC 6902. All operations or none: works on a copy.
 * @throws StatusError BadRequest for what is no patch, Invalid for an operation that doesn't fit the object.
 */
export function applyJsonPatch(object: unknown, patch: unknown): unknown {
  const operations = parseOperations(patch);
  const copy: unknown = structuredClone(object);
  for (const [index, operation] of operations.entries()) {
    const [failure] = applyPatch(copy, [operation]);
    if (failure) throw refused(index, operation, failure);
    if (operation.op === 'copy' && JSON.stringify(copy).length > MAX_BYTES)
      throw new StatusError('RequestEntityTooLarge', 'the patched object would be too large');
  }
  return copy;
}

const MAX_OPERATIONS = 10_000;
/** A few lines of "copy" would double an object without end. */
const MAX_BYTES = 3 * 1024 * 1024;
const OPS = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

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
  if (typeof value.op !== 'string' || !OPS.includes(value.op)) return false;
  if (value.op === 'move' || value.op === 'copy') return isPointer(value.from);
  return value.op === 'remove' || 'value' in value;
}

/** RFC 6901 */
const isPointer = (value: unknown) => typeof value === 'string' && /^(\/|$)/.test(value);

const malformed = (why: string) =>
  new StatusError('BadRequest', `error decoding patch: a JSON patch ${why}`);

const refused = (index: number, { op, path }: Operation, cause: Error): StatusError =>
  new StatusError(
    'Invalid',
    `the server rejected our request due to an error in our request: patch operation ${index} (${op} ${path}): ${cause.message}`,
    { cause },
  );
