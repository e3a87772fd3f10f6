import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { invalidLayer } from './image-error.ts';
import type { LayerCompression } from './manifest.ts';

const pieceBytes = 256 * 1024;

/**
 * zlib's own handle, as its stream drives it: a stream's pieces are never freed as fast as they come, which takes 100 MB and
 * a third more time. There is no other way to them; test/linux/images tells if Node changes it.
 */
interface Handle {
  onerror(message: string, errno: number, code: string): void;
  writeSync(flush: number, ...buffers: (Buffer | number | null)[]): void;
}

/**
 * At once, in the thread that calls. The pieces share one buffer: each is overwritten by the next. Throws ImageError InvalidLayer,
 * and what `chunks` throws.
 */
export function* decompressed(chunks: Iterable<Buffer>, compression: LayerCompression) {
  if (compression === 'none') return yield* chunks;
  const isGzip = compression === 'gzip';
  const stream = isGzip ? createGunzip() : createZstdDecompress();
  const handle = Reflect.get(stream, '_handle') as Handle;
  /** Bytes of room left, and of input, after each call. */
  const left = Reflect.get(stream, '_writeState') as Uint32Array;
  const piece = Buffer.alloc(pieceBytes);
  handle.onerror = (message, errno, code) => {
    const cause = Object.assign(new Error(message), { errno, code });
    throw invalidLayer('it can not be decompressed', { cause });
  };
  const last = isGzip ? constants.Z_FINISH : constants.ZSTD_e_end;
  const go = isGzip ? constants.Z_NO_FLUSH : constants.ZSTD_e_continue;
  try {
    for (const input of chunks) {
      let taken = 0;
      do {
        handle.writeSync(go, input, taken, input.length - taken, piece, 0, pieceBytes);
        const [room = 0, rest = 0] = left;
        taken = input.length - rest;
        if (room < pieceBytes) yield piece.subarray(0, pieceBytes - room);
      } while (left[0] === 0);
    }
    handle.writeSync(last, null, 0, 0, piece, 0, pieceBytes);
    if (left[0] !== pieceBytes) throw invalidLayer('it can not be decompressed to its end');
  } finally {
    stream.close();
  }
}
