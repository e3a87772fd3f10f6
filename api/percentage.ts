/** "25%" → 25; undefined for what is no percentage. */
export function percentageOf(value: number | string): number | undefined {
  const digits = typeof value === 'string' ? /^(\d{1,9})%$/.exec(value)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

/** maxSurge and the like: a number, or so many percent of `total`. */
export function scaledValue(value: number | string, total: number, round: 'up' | 'down'): number {
  const percent = percentageOf(value);
  if (percent === undefined) return Number(value);
  const share = (percent * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
