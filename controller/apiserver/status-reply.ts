import { type StatusDetails, StatusError } from '../../api/status.ts';
import { DeadlineExceeded } from '../../base/deadline.ts';
import { StoreError } from '../store/store.ts';
import type { Answer } from './call.ts';

const head = { kind: 'Status', apiVersion: 'v1', metadata: {} } as const;

/** metav1.Status, as it goes over the wire. */
export const statusOf = ({ message, reason, details, code }: StatusError) => ({
  ...head,
  ...{ status: 'Failure' as const, message, reason, details, code },
});

/** The answer where there is nothing else to say. */
export const success = (code: 200 | 201, details: StatusDetails = {}): Answer => ({
  code,
  body: JSON.stringify({ ...head, status: 'Success', details, code }),
});

export const noSuchPath = (): StatusError =>
  new StatusError('NotFound', 'the server could not find the requested resource');

/** Whatever was thrown, as the client may see it: words of unknown errors stay in the log. */
export function toStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StoreError) return fromStore(error);
  if (error instanceof DeadlineExceeded) return timedOut(error);
  return fromFastify(error) ?? new StatusError('InternalError', 'internal error', { cause: error });
}

const fromStore = (cause: StoreError) =>
  new StatusError('ServiceUnavailable', `the store is not available: ${cause.reason}`, {
    cause,
    details: { retryAfterSeconds: 1 },
  });

const timedOut = (cause: DeadlineExceeded) =>
  new StatusError('Timeout', `Timeout: ${cause.message}`, { cause });

function fromFastify(cause: unknown): StatusError | undefined {
  if (!(cause instanceof Error) || !('code' in cause)) return undefined;
  if (cause.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge();
  // Longer than any name may be: nothing is there.
  if (cause.code === 'FST_ERR_MAX_PARAM_LENGTH') return noSuchPath();
  const isClients = /^FST_ERR_(CTP|BAD_URL)/.test(String(cause.code));
  return isClients ? new StatusError('BadRequest', cause.message, { cause }) : undefined;
}

export const tooLarge = (): StatusError =>
  new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);

export const maxBodyBytes = 3 * 1024 * 1024;
