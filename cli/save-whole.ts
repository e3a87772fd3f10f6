import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { about } from '../base/error-chain.ts';

/** Puts what comes into a file that only its owner reads; one that is there is replaced once the new one is whole. */
export async function saveWhole(file: string, content: Readable, what: string): Promise<void> {
  const unfinished = `${file}.unfinished`;
  await rm(unfinished, { force: true });
  try {
    const target = createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true });
    await about(`${what} did not become whole`, pipeline(content, target));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}
