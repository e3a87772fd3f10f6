import { type StatusDetails, StatusError } from '../../api/status.ts';
import { StoreError } from '../store/store.ts';

/** metav1.Status, as it goes over the wire. */
export interface WireStatus {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: string;
  readonly details?: StatusDetails;
  readonly code: number;
}

export function statusOf(error: StatusError): WireStatus {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    details: error.details,
    code: error.code,
  };
}

export function successStatus(details: StatusDetails): WireStatus {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details, code: 200 };
}

/** Whatever was thrown, as the client may see it: words of unknown errors stay in the log. */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StoreError) return fromStore(error);
  return fromFastify(error) ?? new StatusError('InternalError', 'internal error', { cause: error });
}

const fromStore = (cause: StoreError) =>
  new StatusError('ServiceUnavailable', `the store is not available: ${cause.reason}`, {
    cause,
    details: { retryAfterSeconds: 1 },
  });

function fromFastify(cause: unknown): StatusError | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  if (cause.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge();
  const isClients = /^FST_ERR_(CTP|BAD_URL)/.test(String(cause.code));
  return isClients ? new StatusError('BadRequest', cause.message, { cause }) : undefined;
}

export const tooLarge = (): StatusError =>
  new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);

export const maxBodyBytes = 3 * 1024 * 1024;
