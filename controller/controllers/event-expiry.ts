import { Event } from '../../api/event.ts';
import { settled } from '../../base/run-reconciler.ts';
import { formatKey, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';

/** As in Kubernetes. */
const eventLifeMs = 60 * 60_000;

/** Forgets events an hour after they last happened. */
export const eventExpiryLoop: Loop = {
  name: 'event-expiry',
  workers: 2,
  wakes: ({ kind, key, object }) => (kind === Event && object ? [formatKey(key)] : []),
  reconcile,
};

async function reconcile(key: string, { cache, objects, clock }: LoopDeps) {
  const event = cache.get(Event, parseKey(key));
  if (!event) return settled;
  const last = event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
  const leftMs = Date.parse(last) + eventLifeMs - clock.now();
  if (leftMs > 0) return { requeueAfterMs: leftMs };
  const { resourceVersion } = event.metadata;
  await objects.delete(Event, parseKey(key), { preconditions: { resourceVersion } });
  return settled;
}
