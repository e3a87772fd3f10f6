/** "25%" → 25; undefined for what is no percentage. */
export function percentageOf(value: number | string): number | undefined {
  const digits = typeof value === 'string' ? /^(\d{1,9})%$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}
