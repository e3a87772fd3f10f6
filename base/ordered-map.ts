/** A map whose keys are kept in the order of their UTF-16 code units, with ranges by prefix. */
export interface OrderedMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): boolean;
  /** The values whose keys start with `prefix`, in order; from the first key after `after`, if given. */
  startingWith(prefix: string, after?: string): Iterable<V>;
}

/** Made for many reads and in-place changes: adding or removing a key moves the keys behind it. */
export function orderedMap<V>(): OrderedMap<V> {
  const values = new Map<string, V>();
  const keys: string[] = [];

  return {
    get size() {
      return keys.length;
    },
    get: (key) => values.get(key),
    set(key, value) {
      if (!values.has(key)) keys.splice(firstAtLeast(keys, key), 0, key);
      values.set(key, value);
    },
    delete(key) {
      if (values.delete(key)) keys.splice(firstAtLeast(keys, key), 1);
      else return false;
      return true;
    },
    *startingWith(prefix, after) {
      const from = after !== undefined && after >= prefix ? after : undefined;
      let at = firstAtLeast(keys, from ?? prefix);
      if (from !== undefined && keys[at] === from) at++;
      for (let key = keys[at]; key?.startsWith(prefix); key = keys[++at])
        yield values.get(key) as V;
    },
  };
}

function firstAtLeast(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
