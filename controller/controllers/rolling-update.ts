/** How far a rollout may go below and above the wanted number of pods. */
export type RolloutLimits = Readonly<{ maxSurge: number; maxUnavailable: number }>;

type Bounds = Partial<Readonly<Record<keyof RolloutLimits, number | string>>>;

interface Scale {
  /** What the ReplicaSet is asked for. */
  readonly replicas: number;
  /** How many of its pods are available. */
  readonly available: number;
}

export interface Rollout {
  readonly desired: number;
  readonly limits: RolloutLimits;
  readonly next: Scale;
  /** Oldest first. */
  readonly old: readonly Scale[];
}

/** Percentages of the wanted number: surge rounds up, unavailable down; not both can be 0, or nothing could move. */
export function rolloutLimits(desired: number, bounds: Bounds = {}): RolloutLimits {
  const maxSurge = absolute(bounds.maxSurge ?? '25%', desired, Math.ceil);
  const maxUnavailable = absolute(bounds.maxUnavailable ?? '25%', desired, Math.floor);
  if (maxSurge === 0 && maxUnavailable === 0) return { maxSurge, maxUnavailable: 1 };
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, desired) };
}

/** The next step: the new ReplicaSet up as far as the surge goes; if it can't, the old ones down as far as is safe. */
export function planRollingUpdate(rollout: Rollout) {
  const old = rollout.old.map(({ replicas }) => replicas);
  const next = nextReplicas(rollout);
  return { next, old: next === rollout.next.replicas ? oldReplicas(rollout) : old };
}

/** How many pods a new ReplicaSet may have at once beside the old ones. */
export function nextReplicas({ desired, limits, next, old }: Rollout): number {
  if (next.replicas >= desired) return desired;
  const room = desired + limits.maxSurge - sum([next, ...old].map(({ replicas }) => replicas));
  return next.replicas + Math.max(0, Math.min(room, desired - next.replicas));
}

/** Those that aren't available go first, for they cost nothing; then as many as the available ones allow. */
function oldReplicas({ desired, limits, next, old }: Rollout): readonly number[] {
  const atLeast = desired - limits.maxUnavailable;
  const all = sum([next, ...old].map(({ replicas }) => replicas));
  const spare = Math.max(0, all - atLeast - (next.replicas - availableOf(next)));
  const broken = old.map((scale) => scale.replicas - availableOf(scale));
  const unhealthy = takeFrom(broken, spare);
  const available = sum([next, ...old].map(availableOf));
  const spareHealthy = Math.max(0, Math.min(available - atLeast, spare - sum(unhealthy)));
  const healthy = takeFrom(old.map(availableOf), spareHealthy);
  return old.map(({ replicas }, i) => replicas - (unhealthy[i] ?? 0) - (healthy[i] ?? 0));
}

/** A status may be from before a scale-down: what is no longer asked for doesn't count. */
const availableOf = ({ replicas, available }: Scale) => Math.min(replicas, available);

/** How much of each, in order, adds up to at most `total`. */
function takeFrom(amounts: readonly number[], total: number): readonly number[] {
  let left = total;
  return amounts.map((amount) => {
    const taken = Math.min(amount, left);
    left -= taken;
    return taken;
  });
}

function absolute(bound: number | string, desired: number, round: (n: number) => number): number {
  if (typeof bound === 'number') return bound;
  return round((Number.parseInt(bound, 10) * desired) / 100);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
