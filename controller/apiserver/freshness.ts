import { StatusError } from '../../api/status.ts';
import { DeadlineExceeded, withDeadline } from '../../base/deadline.ts';
import type { Cache } from '../store/objects.ts';
import type { ApiServerDeps } from './call.ts';
import { badRequest } from './request-options.ts';

interface Deps extends Pick<ApiServerDeps, 'clock' | 'currentRevision'> {
  readonly cache: Pick<Cache, 'revision' | 'reached'>;
}

/**
 * Kubernetes' rules for reading at a resourceVersion: "" sees every write that was acknowledged before; "0" takes what
 * is there; a number is waited for, but not for long.
 */
export async function awaitFresh(deps: Deps, resourceVersion: string): Promise<void> {
  if (resourceVersion === '0') return;
  const wanted =
    resourceVersion === '' ? await deps.currentRevision() : parseRevision(resourceVersion);
  if (wanted > deps.cache.revision) await reached(deps, wanted);
}

export function parseRevision(resourceVersion: string): number {
  if (!/^\d{1,15}$/.test(resourceVersion))
    throw badRequest(`Invalid value: "${resourceVersion}": resourceVersion must be a number`);
  return Number(resourceVersion);
}

const waitMs = 3_000;

async function reached({ cache, clock }: Deps, revision: number): Promise<void> {
  const limit = { clock, ms: waitMs, what: 'reading the current state' };
  try {
    await withDeadline(limit, (signal) => cache.reached(revision, signal));
  } catch (cause) {
    if (!(cause instanceof DeadlineExceeded)) throw cause;
    throw tooLarge(revision, cache.revision, cause);
  }
}

/** client-go knows this cause and tries again without a resourceVersion. */
const tooLarge = (wanted: number, current: number, cause: unknown): StatusError =>
  new StatusError('Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    cause,
    details: {
      retryAfterSeconds: 1,
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    },
  });
