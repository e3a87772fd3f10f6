import type { VolumePort, VolumeSource, VolumeSpec } from '../../../agent/ports.ts';

/** Volumes in memory: what was asked for last, by pod and name. */
export interface FakeVolumes extends VolumePort {
  readonly volumes: ReadonlyMap<string, ReadonlyMap<string, VolumeSpec>>;
}

export function fakeVolumes(): FakeVolumes {
  const volumes = new Map<string, Map<string, VolumeSpec>>();
  return {
    volumes,
    async ensure(uid, volume) {
      const ofPod = volumes.get(uid) ?? new Map<string, VolumeSpec>();
      volumes.set(uid, ofPod.set(volume.name, volume));
      return sourceOf(uid, volume);
    },
    async remove(uid) {
      volumes.delete(uid);
    },
    list: async () => [...volumes.keys()],
  };
}

function sourceOf(uid: string, volume: VolumeSpec): VolumeSource {
  if (volume.kind === 'empty-dir' && volume.medium === 'memory')
    return {
      kind: 'tmpfs',
      name: volume.name,
      sizeLimitBytes: volume.sizeLimitBytes,
      ...volume.owner,
    };
  return {
    kind: 'directory',
    name: volume.name,
    path: `/fake/volumes/${uid}/${volume.name}`,
    readOnly: volume.kind === 'files',
  };
}
