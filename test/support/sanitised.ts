import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../../native', import.meta.url));

/** The C program with the address and undefined behaviour sanitizers; dynamically linked. */
export const sanitisedBinary = `${native}/build/orc-native-asan`;

/** Decodes lists of its own breeding: test/linux/native/list-fuzz.c. */
export const listFuzzer = `${native}/build/list-fuzz`;

/** On a busy machine. */
export const buildTimeoutMs = 240_000;

/** Both of them, ten seconds if anything has changed. What earlier runs have found is thrown away. */
export function buildSanitised(): void {
  for (const path of reportsIn('')) rmSync(path);
  execFileSync('make', ['--silent', '-C', native, 'checked']);
}

/** What the sanitizers of any process below this root have found, in test/linux/native/sanitizer-options.c's files. */
export function sanitiserReports(root = ''): readonly string[] {
  return reportsIn(root).map((path) => readFileSync(path, 'utf8'));
}

const reportsIn = (root: string) => globSync(`${root}/tmp/orc-sanitizer.*`);
