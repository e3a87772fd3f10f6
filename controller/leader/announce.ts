import { formatMicroTime, repeat } from '../../base/clock.ts';
import type { LoopDeps } from '../store/loop.ts';
import { writeLease } from '../store/write-lease.ts';

/** As kubectl's users look for it. */
const key = { namespace: 'kube-system', name: 'orc-controller' };
const renewEveryMs = 10_000;
const leaseDurationSeconds = 15;

/** Says in a Lease who leads. For people only: the election itself is in the store. Returns stop. */
export function announceLeader(
  { objects, clock, log }: Pick<LoopDeps, 'objects' | 'clock' | 'log'>,
  holderIdentity: string,
): () => Promise<void> {
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
