import * as fs from 'node:fs';
import { ifPresent } from '../../base/durable-file.ts';
import { readForeign } from './image-files.ts';

/** Kubernetes' limit of a termination message. */
const MAX_BYTES = 4096;

/** Root's outside, writable for every user inside; the owner, who could change its mode, is nobody there. */
export function makeTerminationLog(path: string): void {
  fs.rmSync(path, { force: true });
  fs.writeFileSync(path, '', { flag: 'wx' });
  fs.chmodSync(path, 0o666);
}

/** The end of what was written to it, as Kubernetes does; undefined if there is nothing. */
export const readTerminationLog = (path: string) => ifPresent(() => readForeign(path, readEnd));

function readEnd(file: number, status: fs.Stats): string | undefined {
  if (!status.isFile() || status.size === 0) return undefined;
  const buffer = Buffer.alloc(MAX_BYTES);
  const read = fs.readSync(file, buffer, { position: Math.max(0, status.size - MAX_BYTES) });
  return buffer.toString('utf8', 0, read);
}
