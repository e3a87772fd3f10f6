/** A queue of keys: a key waits in it at most once, however often it is added. */
export interface WorkQueue<K> {
  add(key: K): void;
  /** The next key, or undefined once the queue is closed. */
  take(): Promise<K | undefined>;
  readonly size: number;
  close(): void;
}

export function workQueue<K>(): WorkQueue<K> {
  const waiting = new Set<K>();
  const takers: ((key: K | undefined) => void)[] = [];
  let closed = false;
  return {
    add(key) {
      if (closed) return;
      const taker = takers.shift();
      if (taker) taker(key);
      else waiting.add(key);
    },
    take() {
      for (const key of waiting) {
        waiting.delete(key);
        return Promise.resolve(key);
      }
      if (closed) return Promise.resolve(undefined);
      return new Promise((resolve) => takers.push(resolve));
    },
    get size() {
      return waiting.size;
    },
    close() {
      closed = true;
      waiting.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
}
