import { wholeOf } from '../../api/quantity.ts';
import type { KeyToPath, Volume } from '../../api/volume.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { VolumeFile, VolumeSpec } from '../ports.ts';
import { ConfigProblem, type ConfigReference, configEntries, decoded } from './config-entries.ts';

/** The volumes of a pod, as the volume port wants them. Pure. Throws ConfigProblem: what it waits for. */
export const volumeSpecs = (assignment: PodAssignment): readonly VolumeSpec[] =>
  (assignment.pod.spec.volumes ?? []).map((volume) => {
    try {
      return volumeSpec(volume, assignment);
    } catch (cause) {
      throw new ConfigProblem(`MountVolume.SetUp failed for volume "${volume.name}"`, { cause });
    }
  });

function volumeSpec(volume: Volume, assignment: PodAssignment): VolumeSpec {
  const owner = ownerOf(assignment);
  const { name, configMap, secret, emptyDir = {} } = volume;
  if (configMap) {
    const source = { kind: 'ConfigMap', ...configMap } as const;
    const binary = decoded(assignment.configMaps.get(configMap.name)?.binaryData);
    const entries = new Map([...configEntries(assignment, source), ...binary]);
    return { name, owner, kind: 'files', files: filesOf(source, entries) };
  }
  if (secret) {
    const source = { kind: 'Secret', name: secret.secretName, ...secret } as const;
    const files = filesOf(source, configEntries(assignment, source));
    return { name, owner, kind: 'files', files };
  }
  const limit = emptyDir.sizeLimit;
  return {
    name,
    owner,
    kind: 'empty-dir',
    medium: emptyDir.medium === 'Memory' ? 'memory' : 'disk',
    sizeLimitBytes: limit === undefined ? undefined : wholeOf(limit),
  };
}

/** Host ids: the pod's root and, if set, its fsGroup, as they are outside of its user namespace. */
function ownerOf({ pod, userNamespace }: PodAssignment): { uid: number; gid: number } {
  const first = userNamespace?.firstId ?? 0;
  return { uid: first, gid: first + (pod.spec.securityContext.fsGroup ?? 0) };
}

function filesOf(
  source: ConfigReference & {
    readonly items?: readonly KeyToPath[] | undefined;
    readonly defaultMode: number;
  },
  entries: ReadonlyMap<string, Buffer>,
): readonly VolumeFile[] {
  const { kind, name, optional, defaultMode } = source;
  const items = source.items ?? [...entries.keys()].map((key) => ({ key, path: key }));
  return items.flatMap(({ key, path, mode = defaultMode }: KeyToPath) => {
    const bytes = entries.get(key);
    if (bytes) return [{ path, bytes, mode }];
    if (optional) return [];
    const object = `${kind.toLowerCase()} "${name}"`;
    throw new ConfigProblem(`${object} references non-existent config key: ${key}`);
  });
}

/** Changes whenever a ConfigMap or Secret of the assignment does. */
export const volumesSignature = ({ configMaps, secrets }: PodAssignment): string =>
  [...configMaps.values(), ...secrets.values()]
    .map(({ metadata }) => `${metadata.uid}/${metadata.resourceVersion}`)
    .join(' ');
