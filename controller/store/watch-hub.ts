import { type StoreChange, StoreError } from './store.ts';

/** A watcher that is so far behind is cut off: it lists again, which is cheaper. */
const maxWaitingChanges = 100_000;

interface Watcher {
  readonly prefix: string;
  waiting: StoreChange[];
  failure: StoreError | undefined;
  wake: () => void;
}

export type WatchHub = ReturnType<typeof watchHub>;

/** Hands the changes of a store to those who watch it. */
export function watchHub() {
  const watchers = new Set<Watcher>();
  let newest: number | undefined;
  const fail = (watcher: Watcher, error: StoreError) => {
    watchers.delete(watcher);
    watcher.failure = error;
    watcher.wake();
  };
  return {
    /** The revision of the last change that was told; undefined: of none yet, or the store has failed. */
    newest: () => newest,
    publish(changes: readonly StoreChange[]) {
      newest = changes.at(-1)?.revision ?? newest;
      for (const watcher of watchers) {
        offer(watcher, changes);
        if (watcher.waiting.length > maxWaitingChanges)
          fail(watcher, new StoreError('Unavailable', 'the watcher is too far behind'));
      }
    },
    /** Keeps the changes of this prefix, from now on, until they are taken. */
    subscribe(prefix: string) {
      const watcher: Watcher = { prefix, waiting: [], failure: undefined, wake() {} };
      watchers.add(watcher);
      return {
        /** What has come since the last call, at least one change; undefined once `signal` has aborted. */
        take: (signal: AbortSignal) => take(watcher, signal),
        end: () => void watchers.delete(watcher),
      };
    },
    /** Every watch ends with this error. */
    fail(error: StoreError) {
      newest = undefined;
      for (const watcher of watchers) fail(watcher, error);
    },
  };
}

function offer(watcher: Watcher, changes: readonly StoreChange[]): void {
  const wanted = changes.filter((change) => change.key.startsWith(watcher.prefix));
  if (wanted.length === 0) return;
  for (const change of wanted) watcher.waiting.push(change);
  watcher.wake();
}

async function take(watcher: Watcher, signal: AbortSignal) {
  while (!signal.aborted) {
    if (watcher.failure) throw watcher.failure;
    if (watcher.waiting.length > 0) return watcher.waiting.splice(0);
    const woken = Promise.withResolvers<void>();
    watcher.wake = () => woken.resolve();
    signal.addEventListener('abort', watcher.wake, { once: true });
    await woken.promise;
    signal.removeEventListener('abort', watcher.wake);
  }
  return undefined;
}
