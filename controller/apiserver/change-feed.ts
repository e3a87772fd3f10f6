import type { Kind } from '../../api/kind.ts';
import type { Cache, ObjectChange } from '../store/cache.ts';

type Listener = (change: ObjectChange) => void;

/** The cache's changes by kind, so that a change wakes only the watches that may want it. */
export interface ChangeFeed {
  /** Calls the listener for each change of the kind from now on; returns unsubscribe. */
  subscribe(kind: Kind, listener: Listener): () => void;
  /** Watches that go on. */
  size(): number;
  close(): void;
}

export function openChangeFeed(cache: Pick<Cache, 'onChange'>): ChangeFeed {
  const listeners = new Map<Kind, Set<Listener>>();
  const close = cache.onChange((change) => {
    for (const listener of listeners.get(change.kind) ?? []) listener(change);
  });
  const subscribe = (kind: Kind, listener: Listener) => {
    const known = listeners.get(kind) ?? new Set();
    listeners.set(kind, known.add(listener));
    return () => {
      known.delete(listener);
    };
  };
  const size = () => [...listeners.values()].reduce((sum, { size: some }) => sum + some, 0);
  return { subscribe, size, close };
}
