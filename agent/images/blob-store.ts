import { createHash } from 'node:crypto';
import { constants, renameSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { together } from '../../base/deadline.ts';
import { readIfPresent } from '../../base/durable-file.ts';
import { digestHex, digestOf, isDigest } from './digest.ts';
import { type GrowingFile, growingFile, wholeFile } from './growing-file.ts';
import { ImageError } from './image-error.ts';
import type { ImageSource } from './image-source.ts';
import type { Descriptor } from './manifest.ts';
import { sharedFlights } from './shared-flight.ts';

/** Where a transfer writes to. Counts and hashes as it goes; more bytes than announced are refused at once. */
export interface BlobSink {
  readonly receivedBytes: number;
  write(chunk: Uint8Array): Promise<void>;
  /** The other side can't go on in the middle: of what it sends, as much as is here is passed over. */
  restart(): void;
}

export interface BlobTransfer {
  readonly descriptor: Descriptor;
  /** May find bytes in the sink, from before a crash. */
  readonly download: ImageSource['download'];
  /** How many there are so far. */
  readonly onBytes: (bytes: number) => void;
}

type Reader = (file: GrowingFile, signal: AbortSignal) => Promise<void>;

export type BlobStore = Awaited<ReturnType<typeof openBlobStore>>;

/** What nobody went on with for so long goes. */
const partialLifeMs = 24 * 60 * 60 * 1000;

/**
 * Blobs by digest, verified while they come: whole ones in `directory`/blobs/HEX, those on their way in `directory`/partial/HEX,
 * where a later transfer goes on, also after a crash. Not synced: only what a durable record names, written after a sync, is to
 * be trusted; sweep the others when opening.
 */
export async function openBlobStore(directory: string, clock: Clock) {
  const blobs = join(directory, 'blobs');
  const partial = join(directory, 'partial');
  for (const path of [blobs, partial]) await fs.mkdir(path, { recursive: true, mode: 0o700 });
  const flights = sharedFlights<void, GrowingFile>();
  const partOf = (digest: string) => join(partial, digestHex(digest));
  const pathOf = (digest: string) => join(blobs, digestHex(digest));
  const findWhole = async (digest: string): Promise<GrowingFile | undefined> => {
    const found = await readIfPresent(fs.stat(pathOf(digest)));
    return found && wholeFile(pathOf(digest), found.size);
  };
  /** Whoever asks for it next doesn't find it. */
  const removeAtOnce = (name: string) => {
    const going = join(partial, `${name}.going`);
    renameSync(join(blobs, name), going);
    return fs.rm(going);
  };
  const begin = (blob: BlobTransfer, signal: AbortSignal) => {
    const { digest } = blob.descriptor;
    const growing = growingFile(partOf(digest), pathOf(digest));
    return { outcome: receive(blob, growing, signal), view: growing.file };
  };
  const isOld = async (name: string, lifeMs: number) =>
    !isDigest(`sha256:${name}`) ||
    clock.now() - ((await readIfPresent(fs.stat(join(partial, name))))?.mtimeMs ?? 0) >= lifeMs;
  return {
    findWhole,
    remove: (digest: string) => removeAtOnce(digestHex(digest)),
    coming: (digest: string) => flights.view(digest),
    /** Has it transferred unless it is here, while `read` reads it: one's failure ends the other. Throws ImageError. */
    async ensure(blob: BlobTransfer, signal: AbortSignal, read?: Reader): Promise<void> {
      const { digest, size } = blob.descriptor;
      let file = await findWhole(digest);
      const transfer = (either: AbortSignal) => {
        const flight = flights.board(digest, either, (shared) => begin(blob, shared));
        file = flight.view;
        return flight.outcome;
      };
      const use = async (either: AbortSignal) => file && read?.(file, either);
      if (file === undefined) return together(signal, [transfer, use]);
      blob.onBytes(size);
      await use(signal);
    },
    /** What there is of one that was never whole. */
    async discard(digest: string): Promise<void> {
      if (flights.view(digest) === undefined) await fs.rm(partOf(digest), { force: true });
    },
    /** undefined: it isn't here. */
    read: (digest: string) => readIfPresent(fs.readFile(pathOf(digest))),
    put(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
      return this.ensure(transferOf(bytes), signal);
    },
    /** Removes every whole blob that isn't kept, and transfers that nobody went on with for so long. Says how many blobs. */
    async sweep(isKept: (digest: string) => boolean, lifeMs = partialLifeMs) {
      let count = 0;
      for (const name of await fs.readdir(blobs)) {
        if (isKept(`sha256:${name}`)) continue;
        await removeAtOnce(name);
        count += 1;
      }
      for (const name of await fs.readdir(partial))
        if (flights.view(`sha256:${name}`) === undefined && (await isOld(name, lifeMs)))
          await fs.rm(join(partial, name), { force: true });
      return count;
    },
  };
}

const transferOf = (bytes: Uint8Array): BlobTransfer => ({
  descriptor: { digest: digestOf(bytes), size: bytes.length, mediaType: '' },
  onBytes: () => undefined,
  download(_, sink) {
    sink.restart();
    return sink.write(bytes);
  },
});

/** After these a transfer that went on with what there is would fail again, or the disk needs the room. */
const spoilt = new Set(['DigestMismatch', 'TooLarge', 'StorageFailed']);

type Growing = ReturnType<typeof growingFile>;

async function receive(blob: BlobTransfer, growing: Growing, signal: AbortSignal) {
  const { path, finalPath } = growing.file;
  let isWhole = false;
  try {
    await using file = await fs.open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    const onBytes = (bytes: number) => {
      growing.reached(bytes);
      blob.onBytes(bytes);
    };
    const sink = await fileSink(file, { ...blob, onBytes });
    // A crash may have come between the last byte and the name: of what lies behind it registries give an error.
    if (sink.receivedBytes < blob.descriptor.size)
      await blob.download(blob.descriptor, sink, signal);
    sink.verify();
    // While it is still unpacked: all is synced in the end, and the disk has less to do then.
    await file.datasync();
    await fs.rename(path, finalPath);
    isWhole = true;
  } catch (error) {
    signal.throwIfAborted();
    const failure =
      error instanceof ImageError ? error : storageFailed(blob.descriptor.digest, error);
    if (spoilt.has(failure.reason)) await fs.rm(path, { force: true });
    throw failure;
  } finally {
    growing.end(isWhole);
  }
}

const storageFailed = (digest: string, cause: unknown) =>
  new ImageError('StorageFailed', `writing ${digest}`, { cause });

const mismatch = (how: string) => new ImageError('DigestMismatch', how);

/** Few, as each is a task of another thread. */
const writeBytes = 512 * 1024;

async function fileSink(file: fs.FileHandle, { descriptor, onBytes }: BlobTransfer) {
  const { digest, size } = descriptor;
  const hash = createHash('sha256');
  let received = 0;
  for await (const chunk of file.createReadStream({ autoClose: false, start: 0 })) {
    hash.update(chunk);
    received += chunk.length;
  }
  /** Of what the other side sends, counted from the beginning of the blob. */
  let passed = received;
  let written = received;
  let unwritten: Uint8Array[] = [];
  const flush = async () => {
    const chunks = unwritten;
    unwritten = [];
    const { bytesWritten } = await file.writev(chunks, written).catch((cause) => {
      throw storageFailed(digest, cause);
    });
    written += bytesWritten;
    if (written < received) throw storageFailed(digest, new Error('the disk took only a part'));
    onBytes(received);
  };
  onBytes(received);
  return {
    get receivedBytes() {
      return received;
    },
    restart() {
      passed = 0;
    },
    async write(sent: Uint8Array) {
      const chunk = sent.subarray(Math.max(0, Math.min(sent.length, received - passed)));
      passed += sent.length;
      if (received + chunk.length > size)
        throw mismatch(`${digest} is longer than the ${size} bytes announced`);
      hash.update(chunk);
      received += chunk.length;
      unwritten.push(chunk);
      if (received - written >= writeBytes || received === size) await flush();
    },
    verify() {
      const got = `sha256:${hash.digest('hex')}`;
      if (received !== size || got !== digest)
        throw mismatch(`expected ${digest}, received ${got}`);
    },
  };
}
