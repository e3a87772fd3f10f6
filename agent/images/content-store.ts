import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import { digestHex } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { Descriptor } from './manifest.ts';
import { type SharedFlights, sharedFlights } from './shared-flight.ts';

/** Where a transfer writes to. Counts and hashes as it goes; more bytes than announced are refused at once. */
export interface BlobSink {
  readonly receivedBytes: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets what was received: the other side can't go on in the middle. */
  restart(): Promise<void>;
}

/**
 * Blobs by digest, on their way from a registry into a layer: a file is there only if its content was verified. Nothing
 * is synced to disk, as nothing here outlives the process.
 */
export interface ContentStore {
  /** Path of the blob, transferred first unless it is there. Throws ImageError. */
  ensure(descriptor: Descriptor, transfer: Transfer, signal: AbortSignal): Promise<string>;
  remove(digest: string): Promise<void>;
}

type Transfer = (sink: BlobSink, signal: AbortSignal) => Promise<void>;

/** `directory`/blobs/sha256/HEX; half-done files are in `directory`/partial. Both are emptied here. */
export async function openContentStore(directory: string): Promise<ContentStore> {
  const blobs = join(directory, 'blobs', 'sha256');
  const partial = join(directory, 'partial');
  for (const path of [blobs, partial]) await rm(path, { recursive: true, force: true });
  for (const path of [blobs, partial]) await mkdir(path, { recursive: true, mode: 0o700 });
  const flights: SharedFlights<string> = sharedFlights();
  let serial = 0;
  return {
    ensure(descriptor, transfer, signal) {
      const hex = digestHex(descriptor.digest);
      const path = join(blobs, hex);
      return flights.join(hex, signal, async (shared) => {
        if ((await readIfPresent(stat(path)))?.size === descriptor.size) return path;
        const to = { partial: join(partial, `${hex}-${++serial}`), path };
        await receive(descriptor, to, (sink) => transfer(sink, shared));
        return path;
      });
    },
    async remove(digest) {
      await rm(join(blobs, digestHex(digest)), { force: true });
    },
  };
}

async function receive(
  descriptor: Descriptor,
  to: { readonly partial: string; readonly path: string },
  transfer: (sink: BlobSink) => Promise<void>,
): Promise<void> {
  const file = await open(to.partial, 'w', 0o600);
  try {
    const sink = fileSink(file, descriptor);
    await transfer(sink);
    sink.verify();
    await rename(to.partial, to.path);
  } catch (error) {
    await rm(to.partial, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

function fileSink(file: FileHandle, { digest, size }: Descriptor): BlobSink & { verify(): void } {
  let hash: Hash = createHash('sha256');
  let received = 0;
  return {
    get receivedBytes() {
      return received;
    },
    async write(chunk) {
      if (received + chunk.length > size)
        throw new ImageError(
          'DigestMismatch',
          `${digest} is longer than the ${size} bytes announced`,
        );
      await file.write(chunk, 0, chunk.length, received).catch((cause) => {
        throw new ImageError('StorageFailed', `writing ${digest}`, { cause });
      });
      hash.update(chunk);
      received += chunk.length;
    },
    async restart() {
      await file.truncate(0);
      hash = createHash('sha256');
      received = 0;
    },
    verify() {
      const got = `sha256:${hash.digest('hex')}`;
      if (received !== size || got !== digest)
        throw new ImageError('DigestMismatch', `expected ${digest}, received ${got}`);
    },
  };
}
