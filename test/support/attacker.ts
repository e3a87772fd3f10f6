import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('attacker.c', import.meta.url));

/** A static program with the tricks that busybox lacks; see its source. */
export function buildAttacker(target: string): void {
  execFileSync('gcc', ['-static', '-O1', '-o', target, source]);
}
