import { ImageError, invalidLayer } from './image-error.ts';
import { noPax, parsePax } from './pax.ts';
import {
  blockBytes,
  completeEntry,
  type Extended,
  entryPath,
  parseHeader,
  quoted,
  type TarEntry,
} from './tar-header.ts';
import { oneBlock, storedBytes, withRanges } from './tar-sparse.ts';

export interface TarHandler {
  entry(entry: TarEntry): void;
  /** A piece of the last entry's content, valid during the call. */
  content(piece: Buffer): void;
}

/**
 * Reads a tar from pieces of any size, calling the handler as it goes, and keeps none of them; at `end` it must be complete.
 * Throws ImageError InvalidLayer.
 *
 * Our own reader, because layers need what tar libraries for Node lose: attribute values and names that are no UTF-8, times
 * in nanoseconds, owners in PAX records, a strict "no" to what it can't represent; and it needs no stream per file.
 */
export function tarReader(handler: TarHandler) {
  const place: Place = { entries: 0, path: '', isInside: false };
  const archive = readArchive(handler, place);
  let wanted = archive.next();
  let held: Buffer = Buffer.alloc(0);

  const feed = (chunk: Buffer) => {
    let rest = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (!wanted.done) {
      const { bytes, inPieces = false } = wanted.value;
      if (rest.length < (inPieces ? 1 : bytes)) break;
      const piece = rest.subarray(0, bytes);
      rest = rest.subarray(piece.length);
      wanted = archive.next(piece);
    }
    held = wanted.done ? Buffer.alloc(0) : Buffer.from(rest);
  };

  /** Errors of what is done inside say where in the archive they belong. */
  const within = (act: () => void) => {
    try {
      act();
    } catch (error) {
      throw located(error, place);
    }
  };

  return {
    within,
    push: (chunk: Buffer) => within(() => feed(chunk)),
    end: () =>
      within(() => {
        if (!wanted.done && (wanted.value !== nextEntry || held.length > 0))
          throw invalidLayer('it ends in the middle of an entry');
      }),
  };
}

/** For messages. */
interface Place {
  entries: number;
  path: string;
  isInside: boolean;
}

function located(error: unknown, { entries, path, isInside }: Place): unknown {
  if (!(error instanceof ImageError)) return error;
  const entry = entries === 0 ? 'at its beginning' : `entry ${entries}, ${quoted(path)}`;
  const where = isInside || entries === 0 ? entry : `after ${entry}`;
  return new ImageError(error.reason, `${error.message} (${where})`, { cause: error.cause });
}

/** What the archive's reader goes on with. */
interface Wanted {
  readonly bytes: number;
  /** Fewer do, too. */
  readonly inPieces?: boolean;
}

/** Where an archive may end without saying so. */
const nextEntry: Wanted = { bytes: blockBytes };

/** Of a PAX header or a GNU long name. */
const maxMetaBytes = 1024 * 1024;

function* readArchive(handler: TarHandler, place: Place): Generator<Wanted, void, Buffer> {
  let extended = plain;
  for (;;) {
    const header = parseHeader(yield extended === plain ? nextEntry : oneBlock);
    if (header === undefined) return;
    const { flag, size } = header;
    if (isMeta(flag)) {
      if (size > maxMetaBytes) throw invalidLayer('an extended header is too long');
      const bytes = yield { bytes: size + padding(size) };
      extended = extend(extended, flag, bytes.subarray(0, size));
      continue;
    }
    Object.assign(place, { path: entryPath(header, extended), isInside: true });
    place.entries += 1;
    const bare = completeEntry(header, extended);
    const entry = yield* withRanges(bare, header, extended.pax.sparse);
    handler.entry(entry);
    let left = storedBytes(entry);
    const padded = padding(left);
    while (left > 0) {
      const piece = yield { bytes: left, inPieces: true };
      handler.content(piece);
      left -= piece.length;
    }
    if (padded > 0) yield { bytes: padded };
    extended = plain;
    place.isInside = false;
  }
}

const plain: Extended = { pax: noPax };

const isMeta = (flag: string) => /^[xgLK]$/.test(flag);

/** Global headers, of which builders write comments, mean nothing: as to docker and containerd. */
function extend(before: Extended, flag: string, bytes: Buffer): Extended {
  if (flag === 'x') return { ...before, pax: parsePax(bytes) };
  if (flag === 'L') return { ...before, path: untilZero(bytes) };
  return flag === 'K' ? { ...before, link: untilZero(bytes) } : before;
}

const padding = (bytes: number) => (blockBytes - (bytes % blockBytes)) % blockBytes;

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
}
