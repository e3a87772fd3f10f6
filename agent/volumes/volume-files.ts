import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import type { VolumeFile, VolumeSpec } from '../ports.ts';

type Owner = VolumeSpec['owner'];

/**
 * Files as Kubernetes lays them out: NAME → ..data/NAME, ..data → ..CONTENTHASH/, so that exchanging the link ..data
 * changes all of them at one instant, and whoever has the old directory open keeps a consistent view. A directory that
 * is half written was never linked to, and is written again.
 */
export async function writeVolumeFiles(volume: string, files: readonly VolumeFile[], owner: Owner) {
  for (const { path } of files) refuseEscape(path);
  const payload = `..${hashOf(files, owner)}`;
  const previous = await readIfPresent(fs.readlink(join(volume, '..data')));
  if (previous !== payload) await publish(join(volume, payload), files, owner);
  // First step of each path: what is linked at the volume's top.
  await linkNames(volume, new Set(files.map(({ path }) => path.split('/')[0] ?? '')), owner);
  await removeStale(volume, payload);
}

async function publish(payload: string, files: readonly VolumeFile[], owner: Owner): Promise<void> {
  await makeDirectory(dirname(payload), owner);
  await fs.rm(payload, { recursive: true, force: true });
  await makeDirectory(payload, owner);
  for (const file of files) await writePayload(payload, file, owner);
  await replaceLink(join(dirname(payload), '..data'), basename(payload), owner);
}

/** Anything outside of the payload, or that the links use themselves, would be a way to write elsewhere. */
function refuseEscape(path: string): void {
  const steps = path.split('/');
  const wrong = path.includes('\0') || steps.some((step) => step === '' || step === '..');
  if (wrong || path.startsWith('..'))
    throw new RangeError(`"${path}" is not a path inside a volume`);
}

function hashOf(files: readonly VolumeFile[], owner: Owner): string {
  const hash = createHash('sha256').update(`${owner.uid}:${owner.gid}`);
  for (const { path, mode, bytes } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`\0${path}\0${mode}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex').slice(0, 32);
}

/** chmod after mkdir: the process' umask must not decide. */
async function makeDirectory(path: string, owner: Owner): Promise<void> {
  await fs.mkdir(path, { recursive: true });
  await fs.chown(path, owner.uid, owner.gid);
  await fs.chmod(path, 0o755);
}

async function writePayload(payload: string, { path, bytes, mode }: VolumeFile, owner: Owner) {
  const steps = dirname(path) === '.' ? [] : dirname(path).split('/');
  for (let depth = 1; depth <= steps.length; depth++)
    await makeDirectory(join(payload, ...steps.slice(0, depth)), owner);
  const target = join(payload, path);
  // On disk before it is linked to: after a power cut the link alone would say that all is there.
  await fs.writeFile(target, bytes, { flag: 'wx', mode: 0o600, flush: true });
  await fs.chown(target, owner.uid, owner.gid);
  await fs.chmod(target, mode);
}

async function linkNames(volume: string, names: ReadonlySet<string>, owner: Owner): Promise<void> {
  for (const name of names) {
    const to = `..data/${name}`;
    if ((await readIfPresent(fs.readlink(join(volume, name)))) === to) continue;
    await replaceLink(join(volume, name), to, owner);
  }
  for (const name of await fs.readdir(volume))
    if (!name.startsWith('..') && !names.has(name))
      await fs.rm(join(volume, name), { recursive: true, force: true });
}

async function replaceLink(path: string, to: string, owner: Owner): Promise<void> {
  const temporary = join(dirname(path), '..new');
  await fs.rm(temporary, { force: true });
  await fs.symlink(to, temporary);
  await fs.lchown(temporary, owner.uid, owner.gid);
  await fs.rename(temporary, path);
}

async function removeStale(volume: string, payload: string): Promise<void> {
  for (const name of await fs.readdir(volume))
    if (name.startsWith('..') && name !== '..data' && name !== payload)
      await fs.rm(join(volume, name), { recursive: true, force: true });
}
