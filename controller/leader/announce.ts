import { type Clock, formatMicroTime, repeat } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Objects } from '../store/objects.ts';
import { writeLease } from '../store/write-lease.ts';

/** As kubectl's users look for it. */
const key = { namespace: 'kube-system', name: 'orc-controller' };
const renewEveryMs = 10_000;
const leaseDurationSeconds = 15;

/** Says in a Lease who leads. For people only: the election itself is in the store. Returns stop. */
export function announceLeader(by: {
  readonly objects: Objects;
  readonly candidate: string;
  readonly clock: Clock;
  readonly log: Log;
}): () => Promise<void> {
  const { objects, candidate: holderIdentity, clock, log } = by;
  const acquireTime = formatMicroTime(clock.now());
  const say = async () => {
    const renewTime = formatMicroTime(clock.now());
    const next = { holderIdentity, leaseDurationSeconds, acquireTime, renewTime };
    try {
      await writeLease(objects, key, ({ acquireTime: before, leaseTransitions: times = 0 }) => ({
        ...next,
        leaseTransitions: before === undefined || before === acquireTime ? times : times + 1,
      }));
    } catch (err) {
      log.warn({ err, component: 'leader' }, 'the leader could not be announced');
    }
  };
  const first = say();
  const stop = repeat(clock, renewEveryMs, say);
  return async () => {
    await stop();
    await first;
  };
}
