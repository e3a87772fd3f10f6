/** What is wrong with one field; `path` as in Kubernetes: spec.containers[0].ports[1].name */
export interface FieldError {
  readonly path: string;
  readonly reason: FieldErrorReason;
  /** The whole sentence behind the path: 'Invalid value: "x": must be …'. */
  readonly message: string;
}

export type FieldErrors = readonly FieldError[];

/** Gives what is wrong with the value at this place. */
export type Rule<T> = (value: T, at: FieldPath) => FieldErrors;

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
  if (typeof step === 'number' || !/^[A-Za-z0-9_$-]+$/.test(step)) return `${path}[${step}]`;
  return path === '' ? step : `${path}.${step}`;
}

export const required = (at: FieldPath, why = ''): FieldError =>
  error('FieldValueRequired', at, why === '' ? 'Required value' : `Required value: ${why}`);

export const invalid = (at: FieldPath, value: unknown, why: string): FieldError =>
  error('FieldValueInvalid', at, `Invalid value: ${shown(value)}: ${why}`);

export const forbidden = (at: FieldPath, why: string): FieldError =>
  error('FieldValueForbidden', at, `Forbidden: ${why}`);

export const duplicate = (at: FieldPath, value: unknown): FieldError =>
  error('FieldValueDuplicate', at, `Duplicate value: ${shown(value)}`);

export function notOneOf(at: FieldPath, value: unknown, values: readonly unknown[]): FieldError {
  const words = values.map((one) => JSON.stringify(one)).join(', ');
  const message = `Unsupported value: ${shown(value)}: supported values: ${words}`;
  return error('FieldValueNotSupported', at, message);
}

/** Points at something that isn't there: a volume that a mount names. */
export const missing = (at: FieldPath, value: unknown): FieldError =>
  error('FieldValueNotFound', at, `Not found: ${shown(value)}`);

export function wrongType(at: FieldPath, value: unknown, expected: string): FieldError {
  const why = `must be ${expected}, not ${typeName(value)}`;
  return error('FieldValueTypeInvalid', at, `Invalid value: ${shown(value)}: ${why}`);
}

export const tooLong = (at: FieldPath, maxBytes: number): FieldError =>
  error('FieldValueTooLong', at, `Too long: must have at most ${maxBytes} bytes`);

export const tooMany = (at: FieldPath, count: number, max: number): FieldError =>
  error('FieldValueTooMany', at, `Too many: ${count}: must have at most ${max} items`);

export function unknown(at: FieldPath, suggestion: string | undefined): FieldError {
  const advice = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  return error('FieldUnknown', at, `unknown field${advice}`);
}

/** `value` when it is the value that orc lacks, not the field. */
export function unsupported(at: FieldPath, value?: unknown): FieldError {
  const subject = value === undefined ? '' : `${shown(value)} is `;
  return error('FieldUnsupportedByOrc', at, `${subject}not supported by orc yet`);
}

/** What was found at one place: an error, several, or nothing. */
type Finding = FieldError | FieldErrors | false | undefined | '' | 0;

/** `problem && invalid(…), …`: all that was found. */
export const errorsOf = (...findings: readonly Finding[]): FieldErrors =>
  findings.flatMap((finding) => finding || []);

/** What is wrong with the entries of the list at `at`. */
export const errorsOfEach = <T>(
  entries: readonly T[] | undefined,
  at: FieldPath,
  check: (entry: T, at: FieldPath, index: number) => Finding,
): FieldErrors => errorsOf(...(entries ?? []).map((entry, i) => check(entry, at(i), i)));

/** What `rule` says against the value, as "must …", if it does. */
export function check<T>(at: FieldPath, value: T, rule: (value: T) => string | undefined) {
  const why = rule(value);
  return why === undefined ? [] : [invalid(at, value, why)];
}

function error(reason: FieldErrorReason, at: FieldPath, message: string): FieldError {
  return { path: String(at), reason, message };
}

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
