import { Event, lastHappened } from '../../api/event.ts';
import { formatKey, keyOf, parseKey } from '../store/keys.ts';
import type { Loop, LoopDeps } from '../store/loop.ts';

/** As in Kubernetes. */
const eventLifeMs = 60 * 60_000;
/** All of them are in memory. */
const maxEvents = 5000;
const keptOfTooMany = 4500;

/** No object's: a key of one has a slash. */
const surplus = 'surplus';

/** Forgets events an hour after they last happened; of too many those that happened longest ago. */
export const eventExpiryLoop: Loop = {
  name: 'event-expiry',
  workers: 2,
  wakes: ({ kind, key, object, previous }) =>
    kind === Event && object ? [formatKey(key), ...(previous ? [] : [surplus])] : [],
  reconcile: (key, deps) => (key === surplus ? forgetSurplus(deps) : forgetExpired(key, deps)),
};

async function forgetSurplus({ cache, objects }: LoopDeps): Promise<void> {
  const events = cache.list(Event);
  if (events.length <= maxEvents) return;
  const byAge = events.toSorted((a, b) => (lastHappened(a) < lastHappened(b) ? -1 : 1));
  for (const event of byAge.slice(0, -keptOfTooMany)) await objects.delete(Event, keyOf(event));
}

async function forgetExpired(key: string, { cache, objects, clock }: LoopDeps) {
  const event = cache.get(Event, parseKey(key));
  if (!event) return;
  const leftMs = Date.parse(lastHappened(event)) + eventLifeMs - clock.now();
  if (leftMs > 0) return leftMs;
  const { resourceVersion } = event.metadata;
  await objects.delete(Event, parseKey(key), { preconditions: { resourceVersion } });
}
