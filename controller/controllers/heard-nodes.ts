import type { Lease } from '../../api/lease.ts';
import type { LoopDeps } from '../store/loop.ts';

/** Signs of life, timed by a clock that never jumps: a machine's wall clock may be set at any time. */
export interface HeardNodes {
  /** When the node's lease was last seen renewed, as clock.now() counts; undefined: not in this term. */
  lastOf(name: string, lease: Lease | undefined, deps: HeardDeps): number | undefined;
}

type HeardDeps = Pick<LoopDeps, 'clock' | 'runningSince'>;

interface Seen {
  readonly term: number;
  readonly renewTime: string | undefined;
  readonly atMonotonic: number | undefined;
}

/** The dispatcher writes a beat down at most so much later. */
const longestWayMs = 3000;

export function heardNodes(): HeardNodes {
  const seen = new Map<string, Seen>();
  return {
    lastOf(name, lease, { clock, runningSince: term }) {
      const { renewTime } = lease?.spec ?? {};
      const before = seen.get(name);
      const isFirst = before?.term !== term;
      if (isFirst || before.renewTime !== renewTime) {
        const wayMs = clock.now() - Date.parse(renewTime ?? '');
        const beatAt = clock.monotonic() - Math.min(Math.max(wayMs || 0, 0), longestWayMs);
        seen.set(name, { term, renewTime, atMonotonic: isFirst ? undefined : beatAt });
      }
      const at = seen.get(name)?.atMonotonic;
      return at === undefined ? undefined : clock.now() - (clock.monotonic() - at);
    },
  };
}
