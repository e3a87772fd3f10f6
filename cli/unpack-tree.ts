import { createWriteStream } from 'node:fs';
import { link, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract, type Header } from 'tar-stream';
import { CliError } from './cli-error.ts';

export interface UnpackPlace {
  /** What the tar calls the file or directory that was asked for. */
  readonly name: string;
  /** Where that shall be here. */
  readonly target: string;
  /** Told what is left out, and why. */
  skip(what: string): void;
}

/**
 * Writes a tar that somebody else made: nothing of it may lie outside `target`, nor point there. No file is written
 * through a link of the same tar, since links are made last. Throws CliError for a path that leads out.
 */
export async function unpackTree(input: Readable, place: UnpackPlace): Promise<void> {
  const tar = extract();
  const arrived = pipeline(input, tar);
  arrived.catch(() => {});
  const links: { readonly hard: boolean; make(): Promise<void> }[] = [];
  for await (const entry of tar) {
    const path = join(place.target, pathWithin(place, entry.header.name));
    const { type } = entry.header;
    if (type === 'link' || type === 'symlink') {
      const make = linkOf(place, entry.header, path);
      if (make) links.push({ hard: type === 'link', make });
    } else await write(entry, path, place);
    entry.resume();
  }
  await arrived;
  for (const { make } of links.toSorted((a, b) => Number(b.hard) - Number(a.hard))) await make();
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

/** "" is what was asked for itself. */
function pathWithin({ name }: UnpackPlace, path: string): string {
  const clean = posix.normalize(path).replace(/\/$/, '');
  const isInside = name === '.' || clean === name || clean.startsWith(`${name}/`);
  if (!isInside || posix.isAbsolute(path) || path.split('/').includes('..'))
    throw new CliError(`the container sent ${JSON.stringify(path)}, which leads out of ${name}`);
  return name === '.' ? clean : clean.slice(name.length + 1);
}

async function write(entry: Entry, path: string, { skip }: UnpackPlace): Promise<void> {
  const { type, name, mode } = entry.header;
  if (type === 'directory') await mkdir(path, { recursive: true, mode: (mode & 0o777) | 0o700 });
  else if (type === 'file' || type === 'contiguous-file') {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await pipeline(entry, createWriteStream(path, { flags: 'wx', mode: mode & 0o777 }));
  } else skip(`${name}: a ${type} is not copied`);
}

/** undefined: it leads out. */
function linkOf(place: UnpackPlace, { type, name, linkname }: Header, path: string) {
  const replaced = async (make: () => Promise<void>) => {
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    await make();
  };
  if (type === 'link') {
    const existing = join(place.target, pathWithin(place, linkname));
    return () => replaced(() => link(existing, path));
  }
  // Normal, it has its ".." in front: so it climbs over directories only, never over another link.
  const normal = posix.normalize(linkname);
  const reached = posix.join(posix.dirname(pathWithin(place, name)), normal);
  if (!posix.isAbsolute(linkname) && reached.split('/')[0] !== '..')
    return () => replaced(() => symlink(normal, path));
  place.skip(`${name}: its link to ${linkname} leads out and is not copied`);
  return undefined;
}
