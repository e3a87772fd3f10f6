import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import type { Op } from '../kernel/op.ts';
import type { Shim } from '../kernel/shim-client.ts';

/** Where a container's root file system comes from. */
export interface RootMount {
  /** The container's directory; upper and work are made in it. */
  readonly directory: string;
  /** See {@link mountPoints}. */
  readonly mountPoints: string;
  /** Mount targets and the image's unpacked layers, lowest first. */
  readonly layers: readonly string[];
  /** The host's id of the container's root; undefined: the host's own user namespace. */
  readonly owner: number | undefined;
}

/**
 * The overlay, in the container's own mount namespace, so that it ends with the container. Its options must fit into
 * one page (mount(2)), so the layers are bound at short relative names first, where they are idmapped, too. `nodev`:
 * device nodes of an image, or made later, open nothing.
 */
export function planOverlay({ directory, mountPoints, layers, owner }: RootMount): readonly Op[] {
  const lower = layers.map((_, i) => i).toReversed();
  const escaped = directory.replace(/[\\,]/g, '\\$&');
  return [
    makeDirectory(`${directory}/work`, 0),
    makeDirectory(`${directory}/upper`, owner ?? 0),
    { op: 'chdir', path: mountPoints },
    makeDirectory('root', 0),
    ...layers.flatMap((source, i): readonly Op[] => [
      makeDirectory(`${i}`, 0),
      {
        ...{ op: 'bind', source, target: `${i}` },
        ...{ flags: ['ro', 'nosuid', 'nodev'], idmap: owner !== undefined },
      },
    ]),
    {
      ...{ op: 'mount', source: 'overlay', target: 'root', fstype: 'overlay', flags: ['nodev'] },
      data: `lowerdir=${lower.join(':')},upperdir=${escaped}/upper,workdir=${escaped}/work`,
    },
    { op: 'set-root', path: 'root' },
  ];
}

/**
 * A layer of what every container has something mounted at. What an image lacks of it would be made in the container's own
 * upper layer otherwise: four inodes to make and to remove, for which ext4 looks past all that were removed of late.
 */
export function makeMountTargets(layer: string): void {
  mkdirSync(dirname(layer), { recursive: true, mode: 0o700 });
  for (const name of ['dev', 'etc', 'proc', 'sys'])
    mkdirSync(join(layer, name), { recursive: true, mode: 0o755 });
  for (const name of etcFiles) writeFileSync(join(layer, 'etc', name), '', { mode: 0o644 });
}

/** Of a pod, for all of its containers. */
export const etcFiles = ['hosts', 'resolv.conf', 'hostname'];

function makeDirectory(path: string, owner: number): Op {
  return { op: 'mkdir', path, mode: 0o755, uid: owner, gid: owner };
}

/** A file system in memory that the containers of a pod share; stays in the shim's mount namespace. */
export function planTmpfs(tmpfs: {
  readonly target: string;
  readonly sizeBytes: number | undefined;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
}): readonly Op[] {
  const size = tmpfs.sizeBytes === undefined ? '' : `,size=${tmpfs.sizeBytes}`;
  return [
    {
      op: 'mount',
      source: 'tmpfs',
      target: tmpfs.target,
      create: true,
      fstype: 'tmpfs',
      flags: ['nosuid', 'nodev'],
      data: `mode=${tmpfs.mode},uid=${tmpfs.uid},gid=${tmpfs.gid}${size}`,
    },
  ];
}

/** Mounts memory in the shim's mount namespace, but what is there already. */
export async function ensureTmpfs(shim: Shim, wanted: readonly Tmpfs[]): Promise<void> {
  const mounts = parseMountinfo(await readFile(`/proc/${shim.pid}/mountinfo`, 'utf8'));
  const missing = wanted.filter(({ target }) => !mounts.some(({ mount }) => mount === target));
  if (missing.length > 0) await shim.run(missing.flatMap(planTmpfs));
}

type Tmpfs = Parameters<typeof planTmpfs>[0];

/** How the agent reaches a file there. Nothing on the way may be a container's to change. */
export const inShim = ({ pid }: Shim, path: string): string => `/proc/${pid}/root${path}`;
