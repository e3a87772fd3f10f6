import type { Lease } from '../../api/lease.ts';
import type { LoopDeps } from '../store/loop.ts';

interface Seen {
  readonly term: number;
  readonly renewTime: string | undefined;
  readonly atMonotonic: number | undefined;
}

/** The dispatcher writes a beat down at most so much later. */
const longestWayMs = 3000;

/** Signs of life, timed by a clock that never jumps: a machine's wall clock may be set at any time. */
export function heardNodes() {
  const seen = new Map<string, Seen>();
  return {
    /** When the node's lease was last seen renewed, as clock.now() counts; undefined: not in this term. */
    lastOf(name: string, lease: Lease | undefined, deps: Pick<LoopDeps, 'clock' | 'runningSince'>) {
      const { clock, runningSince: term } = deps;
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
