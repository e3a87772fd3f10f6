export type Pins = ReturnType<typeof openPins>;

/** What an image on its way needs, by digest: not to be swept. */
export function openPins() {
  const held = new Set<Set<string>>();
  return {
    has: (digest: string) => held.values().some((digests) => digests.has(digest)),
    /** Until it is disposed. */
    pin(digests: readonly string[]) {
      const pinned = new Set(digests);
      held.add(pinned);
      return {
        add(more: readonly string[]) {
          for (const digest of more) pinned.add(digest);
        },
        [Symbol.dispose]: () => void held.delete(pinned),
      };
    },
  };
}
