import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';

/** One file of a layer. Paths are relative, without a leading "./". */
export type LayerFile = { readonly path: string; readonly uid?: number; readonly gid?: number } & (
  | { readonly type: 'directory'; readonly mode: number }
  | { readonly type: 'file'; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly type: 'symlink'; readonly to: string }
);

/** The same for every build, so that the same files give the same digest. */
const mtime = new Date('2024-01-01T00:00:00Z');

/** An uncompressed tar of the files, sorted, with the parent directories that are not listed. */
export async function packLayer(files: readonly LayerFile[]): Promise<Buffer> {
  const byPath = new Map<string, LayerFile>();
  for (const file of files) {
    for (const parent of parentsOf(file.path))
      if (!byPath.has(parent)) byPath.set(parent, { path: parent, type: 'directory', mode: 0o755 });
    byPath.set(file.path, file);
  }
  const tar = pack();
  for (const path of [...byPath.keys()].sort()) addEntry(tar, byPath.get(path) as LayerFile);
  tar.finalize();
  return buffer(tar);
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function addEntry(tar: ReturnType<typeof pack>, file: LayerFile): void {
  const { path, type, uid = 0, gid = 0 } = file;
  const header = { mtime, uid, gid, type };
  if (type === 'directory') tar.entry({ ...header, name: `${path}/`, mode: file.mode });
  else if (type === 'symlink') tar.entry({ ...header, name: path, linkname: file.to, mode: 0o777 });
  else tar.entry({ ...header, name: path, mode: file.mode }, Buffer.from(file.bytes));
}

/** Every file below a directory for which `keep` (given its relative path) holds. */
export const filesBelow = (root: string, keep: (path: string) => boolean): readonly LayerFile[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(keep)
    .flatMap((path) => layerFile(root, path));

function layerFile(root: string, path: string): readonly LayerFile[] {
  const stat = lstatSync(join(root, path));
  const mode = stat.mode & 0o7777;
  if (stat.isDirectory()) return [{ path, type: 'directory', mode }];
  if (stat.isSymbolicLink()) return [{ path, type: 'symlink', to: readlinkSync(join(root, path)) }];
  return stat.isFile() ? [{ path, type: 'file', mode, bytes: readFileSync(join(root, path)) }] : [];
}

export function textFile(path: string, text: string, mode = 0o644): LayerFile {
  return { path, type: 'file', mode, bytes: Buffer.from(text) };
}

export function directory(path: string, mode = 0o755, owner = 0): LayerFile {
  return { path, type: 'directory', mode, uid: owner, gid: owner };
}
