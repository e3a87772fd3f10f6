/** Calls to what isn't there yet: kept in order until it is. */
export function heldCalls<T>() {
  const early: ((to: T) => unknown)[] = [];
  let there: T | undefined;
  return {
    isThere: () => there !== undefined,
    tell(say: (to: T) => unknown): void {
      if (there) say(there);
      else early.push(say);
    },
    arrive(given: T): void {
      there = given;
      for (const say of early.splice(0)) say(given);
    },
  };
}
