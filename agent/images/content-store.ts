import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestHex } from './digest.ts';
import { ImageError } from './image-error.ts';
import type { Descriptor } from './manifest.ts';

/** Where a transfer writes to. Counts and hashes as it goes; more bytes than announced are refused at once. */
export interface BlobSink {
  readonly receivedBytes: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets what was received: the other side can't go on in the middle. */
  restart(): Promise<void>;
}

export interface BlobTransfer {
  readonly descriptor: Descriptor;
  readonly transfer: (sink: BlobSink) => Promise<void>;
  /** How many there are so far. */
  readonly onBytes: (bytes: number) => void;
}

export type ContentStore = Awaited<ReturnType<typeof openContentStore>>;

/**
 * Blobs on their way from a registry into a layer, in `directory`/partial, which is emptied here. Nothing is synced to
 * disk, as nothing here outlives the process.
 */
export async function openContentStore(directory: string) {
  const partial = join(directory, 'partial');
  // The other one is where agents before this one had what was complete.
  for (const left of [partial, join(directory, 'blobs')])
    await rm(left, { recursive: true, force: true });
  await mkdir(partial, { recursive: true, mode: 0o700 });
  let serial = 0;
  return {
    /** `use` gets the path of the blob, transferred and verified; the file goes after it. Throws ImageError. */
    async withBlob<T>(blob: BlobTransfer, use: (path: string) => Promise<T>): Promise<T> {
      const path = join(partial, `${digestHex(blob.descriptor.digest)}-${++serial}`);
      try {
        await receive(blob, path);
        return await use(path);
      } finally {
        await rm(path, { force: true });
      }
    },
  };
}

async function receive(blob: BlobTransfer, path: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    const sink = fileSink(file, blob);
    await blob.transfer(sink);
    sink.verify();
  } finally {
    await file.close();
  }
}

function fileSink(file: FileHandle, { descriptor, onBytes }: BlobTransfer) {
  const { digest, size } = descriptor;
  let hash: Hash = createHash('sha256');
  let received = 0;
  return {
    get receivedBytes() {
      return received;
    },
    async write(chunk: Uint8Array) {
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
      onBytes(received);
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
