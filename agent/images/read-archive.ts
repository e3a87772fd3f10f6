import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { ImageError } from './image-error.ts';
import type { TarEntry } from './tar-header.ts';
import { tarReader } from './tar-reader.ts';

export interface ArchiveFile {
  readonly size: number;
  readonly digest: string;
  /** Where it begins in the file that holds the contents of all. */
  readonly start: number;
}

export type ArchiveFiles = Awaited<ReturnType<typeof readArchive>>;

const maxBytes = 256 * 1024 ** 3;
const maxNames = 100_000;
const maxNameBytes = 8192;
const maxHops = 10;

/**
 * The regular files of a tar, whose contents are put one behind the other into the file at `path`: whatever names and links
 * say, nothing is written elsewhere, and a link leads to a file of the same archive or nowhere. Throws ImageError.
 */
export async function readArchive(chunks: AsyncIterable<Buffer>, path: string) {
  const found = new Map<string, ArchiveFile | string>();
  let last: { readonly name: string; readonly start: number; readonly hash: Hash } | undefined;
  let bytes = 0;
  const endFile = () => {
    if (last === undefined) return;
    const { name, start, hash } = last;
    found.set(name, { start, size: bytes - start, digest: `sha256:${hash.digest('hex')}` });
  };
  await using contents = await open(path, 'wx', 0o600);
  for await (const part of partsOf(chunks)) {
    if (bytes > maxBytes || found.size > maxNames) throw tooLarge();
    if (Buffer.isBuffer(part)) {
      last?.hash.update(part);
      await contents.writeFile(part);
      bytes += part.length;
      continue;
    }
    endFile();
    const { type, link } = part;
    if (part.path.length + link.length > maxNameBytes) throw tooLarge();
    const name = cleanPath(part.path);
    last = type === 'file' ? { name, start: bytes, hash: createHash('sha256') } : undefined;
    if (type === 'hard-link') found.set(name, cleanPath(link));
    if (type === 'symlink') found.set(name, cleanPath(posix.join('/', posix.dirname(name), link)));
  }
  endFile();
  const files = [...found.values()].filter((file) => typeof file !== 'string');
  return {
    find(name: string): ArchiveFile | undefined {
      let file = found.get(cleanPath(name));
      for (let hops = 0; typeof file === 'string' && hops < maxHops; hops++) file = found.get(file);
      return typeof file === 'string' ? undefined : file;
    },
    withDigest: (digest: string) => files.find((file) => file.digest === digest),
    /** Its beginning, no more than so many bytes. */
    read({ start, size }: ArchiveFile, most = size): AsyncIterable<Buffer> {
      const end = start + Math.min(size, most) - 1;
      return end < start ? Readable.from([]) : createReadStream(path, { start, end });
    },
  };
}

const tooLarge = () =>
  new ImageError('TooLarge', 'the archive has too many files, or too long ones');

/** Never above the archive's root. */
const cleanPath = (path: string) => posix.join('/', path).slice(1);

/** Entries, and behind each its content. */
async function* partsOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<TarEntry | Buffer> {
  const parts: (TarEntry | Buffer)[] = [];
  const reader = tarReader({
    entry: (entry) => void parts.push(entry),
    content: (piece) => void parts.push(piece),
  });
  for await (const chunk of chunks) {
    reader.push(chunk);
    yield* parts.splice(0);
  }
  reader.end();
}
