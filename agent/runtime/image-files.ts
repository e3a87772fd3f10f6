import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import { configError } from './container-error.ts';

/** Far above any honest /etc/passwd; an image's may be a gigabyte (CVE-2025-4437). */
const MAX_BYTES = 1_048_576;
const MAX_LINKS = 20;

/**
 * The text of a file as an image's layers show it, "" if there is none. Read from the unpacked layers, before anything
 * is mounted: links are followed inside the image only, and anything but a regular file of reasonable size is refused
 * (a FIFO would block for ever, CVE-2024-9676). Layers are never written to, so what was looked at is what is read.
 *
 * Whiteouts hide what lower layers have; opaque directories do not (Node reads no extended attributes).
 */
export function readImageFile(layers: readonly string[], path: string): string {
  const found = resolveInLayers(layers.toReversed(), path);
  return found === undefined ? '' : readBounded(found, path);
}

/** Host path of what `path` leads to, links resolved; undefined if it isn't there. */
function resolveInLayers(topFirst: readonly string[], path: string): string | undefined {
  let todo = path.split('/').filter(Boolean);
  let done: readonly string[] = [];
  let found: LayerEntry | undefined;
  for (let links = 0; todo.length > 0; ) {
    const [name = '', ...rest] = todo;
    todo = rest;
    if (name === '.') continue;
    if (name === '..') {
      done = done.slice(0, -1);
      continue;
    }
    found = topmost(topFirst, [...done, name].join('/'));
    if (found === undefined) return undefined;
    if (found.link === undefined) {
      done = [...done, name];
      continue;
    }
    if (++links > MAX_LINKS) throw refused(path, 'too many symbolic links');
    if (posix.isAbsolute(found.link)) done = [];
    todo = [...found.link.split('/').filter(Boolean), ...todo];
  }
  return topmost(topFirst, done.join('/'))?.path;
}

type LayerEntry = Readonly<{ path: string; link: string | undefined }>;

/** What the upper layers have there. A character device 0:0 is overlayfs's "deleted here". */
function topmost(topFirst: readonly string[], relative: string): LayerEntry | undefined {
  for (const layer of topFirst) {
    const path = join(layer, relative);
    const status = statusOf(path);
    if (status?.isCharacterDevice() && status.rdev === 0) return undefined;
    if (status?.isSymbolicLink()) return { path, link: fs.readlinkSync(path) };
    if (status) return { path, link: undefined };
    if (isHiddenBelow(layer, relative)) return undefined;
  }
  return undefined;
}

/** Has this layer a file or a whiteout where lower ones have a directory on the way? */
function isHiddenBelow(layer: string, relative: string): boolean {
  const steps = relative.split('/');
  for (let depth = 1; depth < steps.length; depth++) {
    const status = statusOf(join(layer, ...steps.slice(0, depth)));
    if (status === undefined) return false;
    if (!status.isDirectory()) return true;
  }
  return false;
}

const readBounded = (path: string, shown: string): string =>
  readForeign(path, (file, status) => {
    if (!status.isFile()) throw refused(shown, 'not a regular file');
    if (status.size > MAX_BYTES) throw refused(shown, `larger than ${MAX_BYTES} bytes`);
    return fs.readFileSync(file, 'utf8');
  });

/** Opens what a container may have put there: no link is followed, and no pipe is waited for. */
export function readForeign<T>(path: string, read: (file: number, status: fs.Stats) => T): T {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const file = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return read(file, fs.fstatSync(file));
  } finally {
    fs.closeSync(file);
  }
}

const refused = (path: string, why: string) => configError(`the image's ${path}: ${why}`);

function statusOf(path: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}
