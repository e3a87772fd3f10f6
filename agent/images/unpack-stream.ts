import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { decompressed } from './decompressor.ts';
import { type GrowingFile, readGrowingSync } from './growing-file.ts';
import { ImageError } from './image-error.ts';
import { checkLimits, type LayerLimits, type LayerSeen, planLayerEntry } from './layer-plan.ts';
import type { LayerCompression } from './manifest.ts';
import { type TarHandler, tarReader } from './tar-reader.ts';
import { storedBytes } from './tar-sparse.ts';
import { bareOp, encodeUnpackOp } from './unpack-op.ts';

/** A layer on its way to the writer. */
export interface LayerStream {
  /** The compressed layer, verified by the one who writes it. */
  readonly blob: GrowingFile;
  /** How many it will have. */
  readonly compressedBytes: number;
  readonly compression: LayerCompression;
  /** Digest that the uncompressed tar must have. */
  readonly diffId: string;
  readonly limits: LayerLimits;
}

/**
 * Reads, decompresses, hashes and checks the layer, and writes its operations to the pipe: all at once, in a thread that has
 * nothing else to do, with buffers that are used again. The end is told only of a layer whose digest is right, so that no other
 * one counts as done. Throws ImageError, and errors of the pipe.
 */
export function streamLayer(layer: LayerStream, pipe: number, isStopped: () => boolean): void {
  const { blob, compressedBytes, compression, diffId, limits } = layer;
  const hash = createHash('sha256');
  const none = { entries: 0, unpackedBytes: 0, holeBytes: 0, directoryBytes: 0 };
  const seen: LayerSeen = { ...none, compressedBytes };
  const output = gathered(pipe);
  const times: Buffer[] = [];
  const reader = tarReader(operations({ output, limits }, seen, times));
  for (const piece of decompressed(readGrowingSync(blob, isStopped), compression)) {
    hash.update(piece);
    seen.unpackedBytes += piece.length;
    reader.within(() => checkLimits(limits, seen));
    reader.push(piece);
  }
  reader.end();
  const got = `sha256:${hash.digest('hex')}`;
  if (got !== diffId)
    throw new ImageError(
      'DigestMismatch',
      `the layer unpacks to ${got}, but the image's configuration says ${diffId}`,
    );
  for (const op of [...times, encodeUnpackOp(bareOp('end', ''))]) output.add(op);
  output.flush();
}

function operations(
  { output, limits }: { output: ReturnType<typeof gathered>; limits: LayerLimits },
  seen: LayerSeen,
  times: Buffer[],
): TarHandler {
  let skipping = false;
  return {
    entry(entry) {
      seen.entries += 1;
      seen.holeBytes += entry.size - storedBytes(entry);
      if (entry.type === 'directory') seen.directoryBytes += entry.path.length;
      checkLimits(limits, seen);
      const op = planLayerEntry(entry);
      skipping = op === undefined || op.kind !== 'file';
      if (op !== undefined) output.add(encodeUnpackOp(op));
      // Every file that is made in a directory changes its time.
      if (op?.kind === 'directory')
        times.push(encodeUnpackOp({ ...bareOp('time', op.path), mtime: op.mtime }));
    },
    content(piece) {
      if (!skipping) output.add(piece);
    },
  };
}

const gatherBytes = 64 * 1024;

/** Few writes: what is small waits for more. */
function gathered(fd: number) {
  const room = Buffer.alloc(gatherBytes);
  let used = 0;
  const flush = () => {
    writeAll(fd, room.subarray(0, used));
    used = 0;
  };
  return {
    flush,
    add(bytes: Buffer) {
      if (used + bytes.length > gatherBytes) flush();
      if (bytes.length > gatherBytes) return writeAll(fd, bytes);
      used += bytes.copy(room, used);
    },
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
