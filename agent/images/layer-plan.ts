import { ImageError, invalidLayer } from './image-error.ts';
import { quoted, type TarEntry } from './tar-header.ts';
import { bareOp, type UnpackOp } from './unpack-op.ts';

/** Of one layer. A hostile archive reaches one of these before it hurts. */
export interface LayerLimits {
  readonly maxEntries: number;
  /** With the holes of sparse files. */
  readonly maxUnpackedBytes: number;
  /** Of directories' paths, which are remembered to the end. */
  readonly maxDirectoryBytes: number;
  /** Unpacked bytes per compressed byte; counts from `ratioFromBytes` on, as small layers of zeros are ordinary. */
  readonly maxRatio: number;
  readonly ratioFromBytes: number;
}

export const defaultLayerLimits: LayerLimits = {
  maxEntries: 1_000_000,
  maxUnpackedBytes: 64 * 1024 ** 3,
  maxDirectoryBytes: 256 * 1024 ** 2,
  maxRatio: 200,
  ratioFromBytes: 1024 ** 3,
};

const maxPathBytes = 4095;
const maxNameBytes = 255;
const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';

/**
 * The file operation for one entry of a layer; undefined for those that mean nothing here (aufs's own files). Whiteouts
 * become overlayfs's (OCI image-spec, layer.md). Throws ImageError InvalidLayer.
 */
export function planLayerEntry(entry: TarEntry): UnpackOp | undefined {
  const path = layerPath('its path', entry.path);
  const slash = path.lastIndexOf('/');
  const name = path.slice(slash + 1);
  if (name.startsWith(whiteoutPrefix)) return whiteout(path.slice(0, Math.max(0, slash)), name);
  const isHard = entry.type === 'hard-link';
  const link = isHard ? layerPath(`its link ${quoted(entry.link)}`, entry.link) : entry.link;
  if (entry.type === 'symlink') checkSymlink(link);
  const { type, xattrs, path: _, ...rest } = entry;
  return { ...rest, kind: type, path, link, xattrs: keptXattrs(type, xattrs) };
}

function whiteout(directory: string, name: string): UnpackOp | undefined {
  if (name === opaqueMarker) return bareOp('opaque', directory);
  const hidden = name.slice(whiteoutPrefix.length);
  if (hidden.startsWith(whiteoutPrefix)) return undefined;
  if (hidden === '' || hidden === '.' || hidden === '..')
    throw invalidLayer(`"${name}" hides nothing that could be there`);
  return bareOp('whiteout', directory === '' ? hidden : `${directory}/${hidden}`);
}

/** Without "." and empty parts; absolute ones are relative to the layer. ".." is refused: no builder writes it. */
function layerPath(what: string, text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  const path = parts.join('/');
  if (parts.includes('..')) throw invalidLayer(`${what} leads out of its directory`);
  if (path.includes('\0')) throw invalidLayer(`${what} has a zero byte in it`);
  if (path.length > maxPathBytes || parts.some((part) => part.length > maxNameBytes))
    throw invalidLayer(`${what} is too long`);
  return path;
}

function checkSymlink(link: string): void {
  if (link === '' || link.length > maxPathBytes || link.includes('\0'))
    throw invalidLayer('it is a symbolic link to what can’t be');
}

/**
 * trusted.* is overlayfs's business, security.selinux the host's; links and devices can't have user.* attributes. Of the
 * system's, file systems have these only.
 */
function keptXattrs(
  type: TarEntry['type'],
  xattrs: ReadonlyMap<string, Buffer>,
): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return xattrs;
  const hasUser = type === 'file' || type === 'directory';
  const isKept = (name: string) =>
    name !== 'security.selinux' &&
    (name.startsWith('security.') || (hasUser && /^(user\..|system\.posix_acl_)/.test(name)));
  return new Map([...xattrs].filter(([name]) => isKept(name) && !name.includes('\0')));
}

/** What of a layer has come so far. */
export interface LayerSeen {
  entries: number;
  unpackedBytes: number;
  holeBytes: number;
  directoryBytes: number;
  readonly compressedBytes: number;
}

/** Throws ImageError TooLarge at the first limit that is passed. */
export function checkLimits(limits: LayerLimits, seen: LayerSeen): void {
  const refuse = (why: string) => new ImageError('TooLarge', `the layer ${why}`);
  if (seen.entries > limits.maxEntries) throw refuse(`has more than ${limits.maxEntries} entries`);
  if (seen.unpackedBytes + seen.holeBytes > limits.maxUnpackedBytes)
    throw refuse(`unpacks to more than ${limits.maxUnpackedBytes} bytes`);
  if (seen.directoryBytes > limits.maxDirectoryBytes)
    throw refuse(`has directories with more than ${limits.maxDirectoryBytes} bytes of paths`);
  const ratio = seen.unpackedBytes / Math.max(1, seen.compressedBytes);
  if (seen.unpackedBytes > limits.ratioFromBytes && ratio > limits.maxRatio)
    throw refuse(`unpacks to ${Math.round(ratio)} times its size, more than ${limits.maxRatio}`);
}
