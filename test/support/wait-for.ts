/** Resolves with the first answer that is not false or undefined; throws when there was none by the deadline. */
export async function waitFor<T>(
  what: string,
  check: () => T | Promise<T>,
  deadlineMs = 5_000,
): Promise<Exclude<T, false | undefined>> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const answer = await check();
    if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>;
    if (performance.now() > until) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
