/** What is wrong with one field; `path` as in Kubernetes: spec.containers[0].ports[1].name */
export interface FieldError {
  readonly path: string;
  readonly reason: FieldErrorReason;
  /** The whole sentence behind the path: 'Invalid value: "x": must be …'. */
  readonly message: string;
}

/** Kubernetes' own words for a cause (field.ErrorType), and two of orc's. docs/errors.md mirrors them. */
export const fieldErrorReasons = [
  'FieldValueRequired',
  'FieldValueInvalid',
  'FieldValueNotSupported',
  'FieldValueNotFound',
  'FieldValueDuplicate',
  'FieldValueForbidden',
  'FieldValueTypeInvalid',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldUnknown',
  'FieldUnsupportedByOrc',
] as const;

type FieldErrorReason = (typeof fieldErrorReasons)[number];

/** Builds paths: at('spec')('containers')(0) → "spec.containers[0]". */
export interface FieldPath {
  (step: string | number): FieldPath;
  toString(): string;
}

export function fieldPath(path = ''): FieldPath {
  const at = (step: string | number) => fieldPath(join(path, step));
  return Object.assign(at, { toString: () => path });
}

function join(path: string, step: string | number): string {
  if (typeof step === 'number') return `${path}[${step}]`;
  if (!/^[A-Za-z0-9_$-]+$/.test(step)) return `${path}[${step}]`;
  return path === '' ? step : `${path}.${step}`;
}

export const requiredField = (at: FieldPath, why = ''): FieldError => ({
  path: String(at),
  reason: 'FieldValueRequired',
  message: why === '' ? 'Required value' : `Required value: ${why}`,
});

export const invalidField = (at: FieldPath, value: unknown, why: string): FieldError => ({
  path: String(at),
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(value)}: ${why}`,
});

export const forbiddenField = (at: FieldPath, why: string): FieldError => ({
  path: String(at),
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${why}`,
});

export const duplicateField = (at: FieldPath, value: unknown): FieldError => ({
  path: String(at),
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
});

export const notOneOf = (at: FieldPath, value: unknown, values: readonly string[]): FieldError => ({
  path: String(at),
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: ${shown(value)}: supported values: ${values.map((v) => JSON.stringify(v)).join(', ')}`,
});

/** Points at something that isn't there: a volume that a mount names. */
export const missingField = (at: FieldPath, value: unknown): FieldError => ({
  path: String(at),
  reason: 'FieldValueNotFound',
  message: `Not found: ${shown(value)}`,
});

export const wrongType = (at: FieldPath, value: unknown, expected: string): FieldError => ({
  path: String(at),
  reason: 'FieldValueTypeInvalid',
  message: `Invalid value: ${shown(value)}: must be ${expected}, not ${typeName(value)}`,
});

export const tooLong = (at: FieldPath, maxBytes: number): FieldError => ({
  path: String(at),
  reason: 'FieldValueTooLong',
  message: `Too long: must have at most ${maxBytes} bytes`,
});

export const tooMany = (at: FieldPath, count: number, max: number): FieldError => ({
  path: String(at),
  reason: 'FieldValueTooMany',
  message: `Too many: ${count}: must have at most ${max} items`,
});

export const unknownField = (at: FieldPath, suggestion: string | undefined): FieldError => ({
  path: String(at),
  reason: 'FieldUnknown',
  message:
    suggestion === undefined ? 'unknown field' : `unknown field; did you mean "${suggestion}"?`,
});

/** `value` when it is the value that orc lacks, not the field. */
export const unsupportedByOrc = (at: FieldPath, value?: unknown): FieldError => ({
  path: String(at),
  reason: 'FieldUnsupportedByOrc',
  message: value === undefined ? UNSUPPORTED : `${shown(value)} is ${UNSUPPORTED}`,
});

const UNSUPPORTED = 'not supported by orc yet';

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  const bigints = (_: string, inner: unknown) => (typeof inner === 'bigint' ? `${inner}` : inner);
  const text = JSON.stringify(value, bigints) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
