import { invalidLayer } from './image-error.ts';
import { noPax, type PaxRecords, parsePax } from './pax.ts';
import {
  blockBytes,
  completeEntry,
  type LongNames,
  parseHeader,
  type TarEntry,
  type TarHeader,
} from './tar-header.ts';

export interface TarHandler {
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content, valid during the call. */
  content(piece: Buffer): void;
}

/** Of a PAX header or a GNU long name. */
const maxMetaBytes = 1024 * 1024;

/**
 * Reads a tar from pieces of any size, calling the handler as it goes, and keeps none of them; at `end` it must be complete.
 * Throws ImageError InvalidLayer.
 *
 * Our own reader, because layers need what tar libraries for Node lose: attribute values and names that are no UTF-8, times
 * in nanoseconds, owners in PAX records, a strict "no" to what it can't represent; and it needs no stream per file.
 */
export function tarReader(handler: TarHandler) {
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  let padding = 0;
  let ended = false;
  let meta: { readonly flag: string; readonly bytes: number } | undefined;
  let pax: PaxRecords = noPax;
  let globalPax: PaxRecords = noPax;
  let long: LongNames = {};

  const onHeader = (header: TarHeader | undefined) => {
    if (header === undefined) {
      ended = true;
    } else if (metaFlags.has(header.flag)) {
      if (header.size > maxMetaBytes) throw invalidLayer('an extended header is too long');
      meta = { flag: header.flag, bytes: header.size };
    } else {
      const entry = completeEntry(header, pax, long);
      pax = globalPax;
      long = {};
      left = entry.size;
      padding = padded(entry.size) - entry.size;
      handler.entry(entry);
    }
  };

  const onMeta = (flag: string, bytes: Buffer) => {
    if (flag === 'g') globalPax = pax = parsePax(bytes, globalPax);
    else if (flag === 'x') pax = parsePax(bytes, globalPax);
    else if (flag === 'L') long = { ...long, path: untilZero(bytes) };
    else long = { ...long, link: untilZero(bytes) };
  };

  /** How many bytes the next step needs whole. */
  const wanted = () => (meta === undefined ? blockBytes : padded(meta.bytes));

  const step = (bytes: Buffer) => {
    if (meta === undefined) return onHeader(parseHeader(bytes));
    const { flag, bytes: length } = meta;
    meta = undefined;
    onMeta(flag, bytes.subarray(0, length));
  };

  const passContent = (chunk: Buffer): Buffer => {
    const content = chunk.subarray(0, Math.min(left, chunk.length));
    if (content.length > 0) handler.content(content);
    left -= content.length;
    const skipped = left > 0 ? 0 : Math.min(padding, chunk.length - content.length);
    padding -= skipped;
    return chunk.subarray(content.length + skipped);
  };

  return {
    push(chunk: Buffer): void {
      let rest = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      while (!ended) {
        rest = passContent(rest);
        if (left > 0 || padding > 0 || rest.length < wanted()) break;
        const bytes = rest.subarray(0, wanted());
        rest = rest.subarray(bytes.length);
        step(bytes);
      }
      held = ended ? Buffer.alloc(0) : Buffer.from(rest);
    },
    end(): void {
      if (!ended && (left > 0 || held.length > 0 || meta !== undefined))
        throw invalidLayer('it ends in the middle of an entry');
    },
  };
}

const metaFlags = new Set(['x', 'g', 'L', 'K']);

function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
