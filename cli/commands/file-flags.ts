import { UsageError } from '../../base/flags.ts';

/** For flags that may be given several times. */
export const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

/** Throws UsageError: a path without -f is the usual slip. */
export function requireFiles(paths: readonly string[], words: readonly string[]): void {
  const [word] = words;
  if (word !== undefined) throw new UsageError(`"${word}": files are given with -f`);
  if (paths.length === 0)
    throw new UsageError('say which file: -f FILE, or -f - for standard input');
}
