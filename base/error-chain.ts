/** "starting web: pulling hello:1: connect ECONNREFUSED": each layer's own words, outermost first. */
export function errorChain(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error; e !== undefined && parts.length < 10; ) {
    parts.push(e instanceof Error ? e.message || e.name : JSON.stringify(e));
    // Of what was taken down wrongly, on the way of another error: that one.
    if (e instanceof SuppressedError) e = e.suppressed;
    else e = e instanceof Error ? e.cause : undefined;
  }
  return parts.join(': ');
}

/** An error of `work` says which setting it was about: "--data-dir /x: EACCES …". */
export async function about<T>(setting: string, work: Promise<T>): Promise<T> {
  return work.catch((cause: unknown) => {
    throw new Error(setting, { cause });
  });
}

/** The innermost error: what really happened. */
export function rootCause(error: unknown): unknown {
  let e = error;
  for (let depth = 0; depth < 10 && e instanceof Error && e.cause !== undefined; depth++)
    e = e.cause;
  return e;
}
