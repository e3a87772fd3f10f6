import { describe, expect, it } from 'vitest';
import { Lease } from '../../../../api/lease.ts';
import { formatMicroTime } from '../../../../base/clock.ts';
import { heardNodes } from '../../../../controller/controllers/heard-nodes.ts';
import { anObject } from '../../../support/an-object.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const renewedAt = (ms: number) =>
  anObject(Lease, {
    metadata: { name: 'n1', namespace: 'kube-node-lease' },
    spec: { renewTime: formatMicroTime(ms) },
  });

/** A wall clock that can be set, and one that runs on. */
function clocks() {
  let wall = start;
  let running = 0;
  return {
    set: (ms: number) => void (wall = ms),
    pass(ms: number) {
      wall += ms;
      running += ms;
    },
    clock: { now: () => wall, monotonic: () => running, after: () => () => undefined },
  };
}

describe('when a node was heard', () => {
  it('is unknown until a renewal is seen: what was before this term says nothing', () => {
    const { clock, pass } = clocks();
    const heard = heardNodes();
    const look = (at: number, runningSince = 1) =>
      heard.lastOf('n1', renewedAt(at), { clock, runningSince });
    expect(look(start)).toBeUndefined();
    pass(2000);
    expect(look(start + 1000), 'the beat, not when it was written down').toBe(start + 1000);
    expect(look(start + 1000, 2), 'in another term').toBeUndefined();
  });

  it.each([3_600_000, -3_600_000])('is not moved by a wall clock that is set by %i ms', (jump) => {
    const { clock, pass, set } = clocks();
    const heard = heardNodes();
    const deps = { clock, runningSince: 1 };
    heard.lastOf('n1', renewedAt(start), deps);
    pass(1000);
    heard.lastOf('n1', renewedAt(start + 1000), deps);
    set(clock.now() + jump);
    pass(500);
    const last = heard.lastOf('n1', renewedAt(start + 1000), deps) ?? Number.NaN;
    expect(clock.now() - last, 'so long ago').toBe(500);
  });
});
