/** As often as a test repeats something: `make soak` multiplies it. */
export const rounds = (ordinarily: number): number =>
  ordinarily * Number(process.env.SOAK_FACTOR ?? 1);
