/**
 * "starting web: pulling hello:1: connect ECONNREFUSED": each layer's own words, outermost first. Of what failed on the
 * way of another error's take-down: both.
 */
export function errorChain(error: unknown, depth = 10): string {
  if (error === undefined || depth === 0) return '';
  if (error instanceof SuppressedError) {
    const [first, second] = [error.suppressed, error.error].map((e) => errorChain(e, depth - 1));
    return `${first}; and taking down: ${second}`;
  }
  if (!(error instanceof Error)) return JSON.stringify(error);
  const rest = errorChain(error.cause, depth - 1);
  return `${error.message || error.name}${rest && `: ${rest}`}`;
}

/** An error of `work` says which setting it was about: "--data-dir /x: EACCES …". */
export const about = async <T>(setting: string, work: Promise<T>): Promise<T> =>
  work.catch((cause: unknown) => {
    throw new Error(setting, { cause });
  });

/** The innermost error: what really happened. */
export function rootCause(error: unknown): unknown {
  let e = error;
  for (let depth = 0; depth < 10 && e instanceof Error && e.cause !== undefined; depth++)
    e = e.cause;
  return e;
}
