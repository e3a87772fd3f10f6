import { CustomResourceDefinition } from '../../api/custom-resource-definition.ts';
import type { Kind } from '../../api/kind.ts';
import type { Cache, ObjectChange } from '../store/objects.ts';

/** What a watch hears of its kind. */
interface Listener {
  onChange(change: ObjectChange): void;
  /** The kind isn't served any more. */
  onGone(): void;
}

/** The cache's changes by kind, so that a change wakes only the watches that may want it. */
export function openChangeFeed(cache: Pick<Cache, 'onChange' | 'kinds'>) {
  const listeners = new Map<Kind, Set<Listener>>();
  const endGone = () => {
    for (const [kind, known] of listeners)
      if (!cache.kinds.has(kind)) for (const listener of known) listener.onGone();
  };
  const close = cache.onChange((change) => {
    for (const listener of listeners.get(change.kind) ?? []) listener.onChange(change);
    if (change.kind === CustomResourceDefinition) endGone();
  });
  /** From now on; returns unsubscribe. */
  const subscribe = (kind: Kind, listener: Listener) => {
    const known = listeners.getOrInsertComputed(kind, () => new Set()).add(listener);
    if (!cache.kinds.has(kind)) listener.onGone();
    return () => {
      known.delete(listener);
      if (known.size === 0) listeners.delete(kind);
    };
  };
  /** Watches that go on. */
  const size = () => [...listeners.values()].reduce((sum, { size: some }) => sum + some, 0);
  return { subscribe, size, close };
}
