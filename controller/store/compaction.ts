import { type Clock, repeat } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from './store.ts';

/** As etcd under Kubernetes: who is further behind lists again. */
const historyMs = 10 * 60_000;
const markEveryMs = 60_000;

/** Has the store forget history older than 10 minutes. Returns how to stop. */
export function keepCompacted(store: Store, clock: Clock, log: Log): () => Promise<void> {
  let marks: readonly { readonly revision: number; readonly at: number }[] = [];

  const mark = async () => {
    const now = clock.monotonic();
    marks = [...marks, { revision: await store.revision(), at: now }];
    const old = marks.filter(({ at }) => at <= now - historyMs);
    marks = marks.slice(old.length);
    const last = old.at(-1);
    if (last) await store.compact(last.revision);
  };

  return repeat(clock, markEveryMs, () =>
    mark().catch((err: unknown) => log.warn({ err }, 'compacting the store failed')),
  );
}
