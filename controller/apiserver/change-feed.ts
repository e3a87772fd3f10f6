import type { Kind } from '../../api/kind.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';

type Listener = (change: ObjectChange) => void;

/** The cache's changes by kind, so that a change wakes only the watches that may want it. */
export function openChangeFeed(cache: Pick<Cache, 'onChange'>) {
  const listeners = new Map<Kind, Set<Listener>>();
  const close = cache.onChange((change) => {
    for (const listener of listeners.get(change.kind) ?? []) listener(change);
  });
  /** Calls the listener for each change of the kind from now on; returns unsubscribe. */
  const subscribe = (kind: Kind, listener: Listener) => {
    const known = listeners.getOrInsertComputed(kind, () => new Set()).add(listener);
    return () => known.delete(listener);
  };
  /** Watches that go on. */
  const size = () => [...listeners.values()].reduce((sum, { size: some }) => sum + some, 0);
  return { subscribe, size, close };
}
