import { join } from 'node:path';
import { assertFileName } from '../../base/file-name.ts';
import type { ContainerId } from '../ports.ts';

export interface RuntimeDirectories {
  /** Kept over a reboot: records, root file systems, logs. */
  readonly dataDir: string;
  /** Gone after a reboot: sockets, exits, mount points of the shims. */
  readonly runDir: string;
}

/**
 * Directories in memory, the same for all containers, as each mounts its root and layers in a mount namespace of its own: on
 * disk, a start and an end would spend a millisecond on those of one container.
 */
export const mountPoints = ({ runDir }: RuntimeDirectories): string => join(runDir, 'mounts');

/** The lowest layer of every container's root; see `makeMountTargets`. */
export const mountTargets = ({ dataDir }: RuntimeDirectories) => join(dataDir, 'mount-targets');

/** Where everything of one pod is. All of it is root's alone (0700 at the top). */
export type PodPaths = ReturnType<typeof podPaths>;

export function podPaths({ dataDir, runDir }: RuntimeDirectories, uid: string) {
  assertFileName(uid);
  const data = join(dataDir, 'pods', uid);
  const run = join(runDir, 'pods', uid);
  return {
    data,
    record: join(data, 'sandbox.json'),
    containers: join(data, 'containers'),
    run,
    /** Memory in the shim's mount namespace: /dev/shm of all containers; what they have of /etc; their last messages. */
    shm: join(run, 'shm'),
    etc: join(run, 'etc'),
    messages: join(run, 'messages'),
    tmpfs: (volume: string) => join(run, 'tmpfs', assertFileName(volume)),
    container: (id: ContainerId) => join(data, 'containers', containerKey(id)),
    /** Names of its control groups. The shim's is outside of the pod's, which has limits. */
    cgroup: `${podCgroupPrefix}${uid}`,
    shimCgroup: `${shimCgroupPrefix}${uid}`,
    containerCgroup: (id: ContainerId) => `${podCgroupPrefix}${uid}/${containerKey(id)}`,
  };
}

/** Of the groups that hold a pod's containers. */
export const podCgroupPrefix = 'pod';

/** Of the groups that hold shims. */
export const shimCgroupPrefix = 'shim';

/** One attempt's name in its shim, its cgroup and its directory: "web-0". */
export const containerKey = ({ name, attempt }: ContainerId): string =>
  `${assertFileName(name)}-${attempt}`;

/** The other way round; undefined for a name that no attempt has. */
export function parseContainerKey(uid: string, key: string): ContainerId | undefined {
  const match = /^(.+)-(\d+)$/.exec(key);
  return match ? { uid, name: match[1] ?? '', attempt: Number(match[2]) } : undefined;
}
