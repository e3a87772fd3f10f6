import type { Rng } from './rng.ts';

/** How long to wait before try number `attempt` (the first is 1): doubles up to a cap. */
export type BackoffPolicy = Readonly<{ firstMs: number; capMs: number }>;

export const backoffMs = (policy: BackoffPolicy, attempt: number): number =>
  Math.min(policy.capMs, policy.firstMs * 2 ** Math.min(attempt - 1, 30));

/** Between half and the whole of `ms`, so that many waiters don't come back at once. */
export const withJitter = (ms: number, rng: Rng): number => ms / 2 + (ms / 2) * rng.fraction();
