import { chmod, chown, mkdir, readdir, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readIfPresent } from '../../base/durable-file.ts';
import { assertFileName } from '../../base/file-name.ts';
import { removeTree } from '../../base/remove-tree.ts';
import type { VolumePort, VolumeSource, VolumeSpec } from '../ports.ts';
import { writeVolumeFiles } from './volume-files.ts';

/**
 * Volumes below VOLUMES_DIR/UID/NAME. Files of Secrets are on disk like the others: the directory above is root's
 * alone (0700), and containers see them only where they are mounted. Volumes in memory are only described here; the
 * sandbox's shim mounts them. Throws VolumeError.
 */
export function openVolumes(options: { readonly volumesDir: string }): VolumePort {
  const { volumesDir } = options;
  return {
    ensure: (uid, volume) => ensure(volumesDir, uid, volume),
    async remove(uid) {
      // Symbolic links are unlinked and never followed.
      await inWords(`removing the volumes of pod ${uid}`, () =>
        removeTree(join(volumesDir, assertFileName(uid))),
      );
    },
    list: () =>
      inWords('listing volumes', async () => (await readIfPresent(readdir(volumesDir))) ?? []),
  };
}

class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly reason = 'FailedMount';
}

async function ensure(volumesDir: string, uid: string, volume: VolumeSpec): Promise<VolumeSource> {
  const { name, owner } = volume;
  if (volume.kind === 'empty-dir' && volume.medium === 'memory')
    return { kind: 'tmpfs', name, sizeLimitBytes: volume.sizeLimitBytes, ...owner };
  const path = join(volumesDir, assertFileName(uid), assertFileName(name));
  await inWords(`volume "${name}"`, async () => {
    await mkdir(volumesDir, { recursive: true, mode: 0o700 });
    if (volume.kind === 'files') await writeVolumeFiles(path, volume.files, owner);
    else await makeEmptyDirectory(path, owner);
  });
  return { kind: 'directory', name, path, readOnly: volume.kind === 'files' };
}

const SETGID = 0o2000;

/**
 * Everybody in the pod may write, as in Kubernetes. With an fsGroup, whose group then differs from the root's, files
 * made inside get that group. Left alone once it is there: it is the containers'.
 */
async function makeEmptyDirectory(path: string, owner: VolumeSpec['owner']): Promise<void> {
  const { uid, gid } = owner;
  if (await readIfPresent(stat(path))) return;
  // Under a name that no volume can have, until it is complete: a crash in between leaves none that
  // is root's alone.
  const unfinished = join(dirname(path), `..${basename(path)}`);
  await mkdir(unfinished, { recursive: true });
  await chown(unfinished, uid, gid);
  await chmod(unfinished, gid === uid ? 0o777 : SETGID | 0o777);
  await rename(unfinished, path);
}

async function inWords<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new VolumeError(what, { cause });
  }
}
