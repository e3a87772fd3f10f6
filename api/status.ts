import type { FieldErrors } from './field-error.ts';
import type { Kind } from './kind.ts';

/** The closed table of API errors: HTTP code, whether a client may simply try again. docs/errors.md mirrors it. */
export const statusReasons = {
  BadRequest: { code: 400, retry: false },
  Unauthorized: { code: 401, retry: false },
  Forbidden: { code: 403, retry: false },
  NotFound: { code: 404, retry: false },
  MethodNotAllowed: { code: 405, retry: false },
  NotAcceptable: { code: 406, retry: false },
  AlreadyExists: { code: 409, retry: false },
  Conflict: { code: 409, retry: true },
  Gone: { code: 410, retry: false },
  Expired: { code: 410, retry: false },
  RequestEntityTooLarge: { code: 413, retry: false },
  UnsupportedMediaType: { code: 415, retry: false },
  Invalid: { code: 422, retry: false },
  TooManyRequests: { code: 429, retry: true },
  InternalError: { code: 500, retry: false },
  NotImplemented: { code: 501, retry: false },
  ServiceUnavailable: { code: 503, retry: true },
  Timeout: { code: 504, retry: true },
} as const satisfies Record<string, { code: number; retry: boolean }>;

export type StatusReason = keyof typeof statusReasons;

export interface StatusDetails {
  readonly group?: string;
  /** The resource's plural, or the kind for Invalid: as Kubernetes does. */
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
  readonly retryAfterSeconds?: number;
}

/** metav1.Status of a failure. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly reason: StatusReason;
  readonly details: StatusDetails;

  constructor(
    reason: StatusReason,
    message: string,
    options: ErrorOptions & { details?: StatusDetails } = {},
  ) {
    super(message, options);
    this.reason = reason;
    this.details = options.details ?? {};
  }

  get code(): number {
    return statusReasons[this.reason].code;
  }
}

/** Says it one of these? */
export const hasReason = (
  error: unknown,
  ...reasons: readonly StatusReason[]
): error is StatusError => error instanceof StatusError && reasons.includes(error.reason);

type Named = Pick<Kind, 'group' | 'plural' | 'kind'>;

export const notFound = (kind: Named, name: string): StatusError =>
  new StatusError('NotFound', `${label(kind)} "${name}" not found`, about(kind, name));

/** The object, if there is one. Throws NotFound. */
export function found<T>(kind: Named, name: string, object: T | undefined): T {
  if (object === undefined) throw notFound(kind, name);
  return object;
}

export const alreadyExists = (kind: Named, name: string): StatusError =>
  new StatusError('AlreadyExists', `${label(kind)} "${name}" already exists`, about(kind, name));

export function conflict(kind: Named, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${label(kind)} "${name}": ${why}`;
  return new StatusError('Conflict', message, about(kind, name));
}

/** `causes` say it to programs. */
export function forbidden(
  kind: Named,
  name: string,
  { why, causes }: { readonly why: string; readonly causes?: StatusDetails['causes'] },
): StatusError {
  const what = name === '' ? label(kind) : `${label(kind)} "${name}"`;
  const more = causes ? { causes } : {};
  return new StatusError('Forbidden', `${what} is forbidden: ${why}`, about(kind, name, more));
}

/** A hundred show what is wrong with a hundred thousand. */
const maxCauses = 100;

/** `Deployment.apps "web" is invalid: [spec.replicas: Invalid value: …, …]`, with a cause for each field. */
export function invalid(kind: Named, name: string, errors: FieldErrors): StatusError {
  const told = errors.slice(0, maxCauses);
  const more = errors.length > maxCauses ? [`and ${errors.length - maxCauses} more`] : [];
  const sentences = [...told.map((e) => `${e.path}: ${e.message}`), ...more];
  const what = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
  const title = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const causes = told.map((e) => ({ reason: e.reason, message: e.message, field: e.path }));
  const details = about(kind, name, { kind: kind.kind, causes });
  return new StatusError('Invalid', `${title} "${name}" is invalid: ${what}`, details);
}

const label = ({ group, plural }: Named) => (group === '' ? plural : `${plural}.${group}`);
const about = ({ group, plural }: Named, name: string, more: StatusDetails = {}) => ({
  details: { ...(group === '' ? {} : { group }), kind: plural, name, ...more },
});
