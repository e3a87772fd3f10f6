import { constants } from 'node:fs';
import { chmod, open, rm, writeFile } from 'node:fs/promises';
import { readIfPresent } from '../../base/durable-file.ts';

/** Kubernetes' limit of a termination message. */
const MAX_BYTES = 4096;

/** Root's outside, writable for every user inside; the owner, who could change its mode, is nobody there. */
export async function makeTerminationLog(path: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, '', { flag: 'wx' });
  await chmod(path, 0o666);
}

/** The end of what was written to it, as Kubernetes does; undefined if there is nothing. */
export function readTerminationLog(path: string): Promise<string | undefined> {
  return readIfPresent(readEnd(path));
}

async function readEnd(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const status = await file.stat();
    if (!status.isFile() || status.size === 0) return undefined;
    const position = Math.max(0, status.size - MAX_BYTES);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(MAX_BYTES), position });
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
