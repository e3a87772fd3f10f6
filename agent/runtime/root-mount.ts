import type { Op } from '../kernel/op.ts';

/** Where a container's root file system comes from. */
export interface RootMount {
  /** The container's directory; upper, work, root and the lower mounts are made in it. */
  readonly directory: string;
  /** The image's unpacked layers, lowest first. */
  readonly layers: readonly string[];
  /** The host's id of the container's root; undefined: the host's own user namespace. */
  readonly owner: number | undefined;
}

/**
 * The overlay, in the container's own mount namespace, so that it ends with the container. Its options must fit into
 * one page (mount(2)), so the layers are bound at short relative names first, where they are idmapped, too. `nodev`:
 * device nodes of an image, or made later, open nothing.
 */
export function planOverlay({ directory, layers, owner }: RootMount): readonly Op[] {
  const lower = layers.map((_, i) => `lower/${i}`).toReversed();
  return [
    { op: 'chdir', path: directory },
    ...['lower', 'root', 'work'].map((path) => makeDirectory(path, 0)),
    makeDirectory('upper', owner ?? 0),
    ...layers.flatMap((source, i): readonly Op[] => [
      makeDirectory(`lower/${i}`, 0),
      {
        ...{ op: 'bind', source, target: `lower/${i}` },
        ...{ flags: ['ro', 'nosuid', 'nodev'], idmap: owner !== undefined },
      },
    ]),
    {
      ...{ op: 'mount', source: 'overlay', target: 'root', fstype: 'overlay', flags: ['nodev'] },
      data: `lowerdir=${lower.join(':')},upperdir=upper,workdir=work`,
    },
    { op: 'set-root', path: 'root' },
  ];
}

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
