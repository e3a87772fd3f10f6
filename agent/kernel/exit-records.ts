import { readdir, readFile } from 'node:fs/promises';
import { readIfPresent } from '../../base/durable-file.ts';
import type { ShimContainer } from './shim.ts';

/**
 * The exits that shims of this run directory have written to disk, also those of a shim that is gone. Each file holds
 * "code signal started finished pid"; one appears whole or not at all.
 */
export async function readExits(runDir: string): Promise<readonly ShimContainer[]> {
  const names = await readIfPresent(readdir(`${runDir}/exits`));
  const whole = (names ?? []).filter((name) => !name.startsWith('.'));
  return Promise.all(
    whole.map(async (name) => parseExit(name, await readFile(`${runDir}/exits/${name}`, 'utf8'))),
  );
}

function parseExit(container: string, text: string): ShimContainer {
  const [exitCode = 0, signal = 0, startedAtMs = 0, finishedAtMs = 0, pid = 0] = text
    .trim()
    .split(' ')
    .map(Number);
  return {
    container,
    pid,
    startedAtMs,
    exit: { exitCode, signal: signal === 0 ? undefined : signal, finishedAtMs },
  };
}
