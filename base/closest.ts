/** The word that `typo` was probably meant to be: at most two slips of the finger away. */
export function closestTo(typo: string, words: readonly string[]): string | undefined {
  const most = typo.length < 4 ? 1 : 2;
  const [best] = words
    .map((word) => ({ word, distance: distance(typo.toLowerCase(), word.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .sort((a, b) => a.distance - b.distance);
  return best?.word;
}

/** 'did you mean "replicas"?', or what else is to be said. */
export function didYouMean(typo: string, words: readonly string[], otherwise = ''): string {
  const nearest = closestTo(typo, words);
  return nearest === undefined ? otherwise : `did you mean "${nearest}"?`;
}

/** Levenshtein's: insertions, deletions and replacements of one letter. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
