import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, type Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { getSystemErrorName } from 'node:util';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type GrowingFile, readGrowing } from './growing-file.ts';
import { ImageError, invalidLayer } from './image-error.ts';
import { checkLimits, type LayerLimits, planLayerEntry } from './layer-plan.ts';
import type { LayerCompression } from './manifest.ts';
import { tarReader } from './tar-reader.ts';
import { bareOp, decodeUnpackFailure, encodeUnpackOp } from './unpack-op.ts';

export interface UnpackRequest {
  /** The compressed layer, verified by the one who writes it. */
  readonly blob: GrowingFile;
  /** How many it will have. */
  readonly compressedBytes: number;
  readonly compression: LayerCompression;
  /** Digest that the uncompressed tar must have. */
  readonly diffId: string;
  /** Empty, to be filled. */
  readonly directory: string;
  /** Command line of the writer, without the directory. */
  readonly writer: readonly [string, ...string[]];
  readonly limits: LayerLimits;
}

/** Fills the directory, through the confined writer. Throws ImageError; what is in the directory then is garbage. */
export async function unpackLayer(request: UnpackRequest, signal: AbortSignal): Promise<void> {
  const [program, ...args] = request.writer;
  const child = spawn(program, [...args, request.directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const writer = watch(child);
  try {
    await pipeline(
      readGrowing(request.blob),
      decompressors[request.compression](),
      (chunks) => operations(request, chunks),
      child.stdin,
      { signal },
    );
    await writer.finished;
  } catch (error) {
    child.kill('SIGKILL');
    const said = await writer.failure;
    signal.throwIfAborted();
    throw said ?? asImageError(error);
  }
}

/** Node's default of 16 KiB halves the speed. */
const chunkSize = 256 * 1024;

const decompressors: Readonly<Record<LayerCompression, () => Transform>> = {
  gzip: () => createGunzip({ chunkSize }),
  zstd: () => createZstdDecompress({ chunkSize }),
  none: () => new PassThrough(),
};

/** The writer's input: the end is told only of a layer whose digest is right, so that no other one counts as done. */
async function* operations(
  request: UnpackRequest,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  const seen = { entries: 0, unpackedBytes: 0, compressedBytes: request.compressedBytes };
  let pieces: Buffer[] = [];
  const times: Buffer[] = [];
  const reader = tarReader({
    entry(entry) {
      seen.entries += 1;
      const op = planLayerEntry(entry);
      skipping = op === undefined || op.kind !== 'file';
      if (op !== undefined) pieces.push(encodeUnpackOp(op));
      // Every file that is made in a directory changes its time.
      if (op?.kind === 'directory')
        times.push(encodeUnpackOp({ ...bareOp('time', op.path), mtime: op.mtime }));
    },
    content(piece) {
      if (!skipping) pieces.push(piece);
    },
  });
  let skipping = false;
  for await (const chunk of chunks) {
    hash.update(chunk);
    seen.unpackedBytes += chunk.length;
    reader.push(chunk);
    checkLimits(request.limits, seen);
    if (pieces.length > 0) yield Buffer.concat(pieces);
    pieces = [];
  }
  reader.end();
  const diffId = `sha256:${hash.digest('hex')}`;
  if (diffId !== request.diffId)
    throw new ImageError(
      'DigestMismatch',
      `the layer unpacks to ${diffId}, but the image's configuration says ${request.diffId}`,
    );
  yield Buffer.concat([...times, encodeUnpackOp(bareOp('end', ''))]);
}

/** `finished` rejects if the writer doesn't succeed; `failure` is what it said, if it said anything. */
function watch(child: ChildProcess & { readonly stdout: NodeJS.ReadableStream | null }) {
  const output = child.stdout === null ? Promise.resolve(Buffer.alloc(0)) : buffer(child.stdout);
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const failure = Promise.all([output, exited]).then(
    ([bytes]) => writerError(bytes),
    (cause) => new ImageError('StorageFailed', 'the layer writer does not start', { cause }),
  );
  const finished = exited.then(([code, killed]) => {
    if (code !== 0) throw new Error(`the layer writer ended with ${code ?? killed}`);
  });
  finished.catch(() => undefined);
  return { finished, failure };
}

const diskErrors = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'ENOMEM', 'EMFILE', 'EPERM']);

function writerError(bytes: Buffer): ImageError | undefined {
  const failure = decodeUnpackFailure(bytes);
  if (failure === undefined || failure.stage === 'read') return undefined;
  const { index, stage, path } = failure;
  const code = getSystemErrorName(-failure.errno);
  const text = `entry ${index}, ${JSON.stringify(path)}: ${stage}: ${code}`;
  return diskErrors.has(code)
    ? new ImageError('StorageFailed', `unpacking the layer: ${text}`)
    : invalidLayer(text);
}

function asImageError(error: unknown): ImageError {
  if (error instanceof ImageError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (/^(Z_|ZSTD_|ERR_ZSTD|ERR_BUFFER)/.test(code) || /zlib|gzip|zstd/i.test(String(error)))
    return invalidLayer('it can not be decompressed', { cause: error });
  return new ImageError('StorageFailed', 'unpacking the layer', { cause: error });
}
