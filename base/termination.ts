/** Resolves when this process is asked to end: SIGTERM, or Ctrl-C. */
export const terminated = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
