import { wholeOf } from '../../api/quantity.ts';
import type { KeyToPath, Volume } from '../../api/volume.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type { VolumeFile, VolumeSpec } from '../ports.ts';

export type VolumePlan =
  | { readonly ok: true; readonly volumes: readonly VolumeSpec[] }
  /** Kubernetes' FailedMount: what it waits for. */
  | { readonly ok: false; readonly problem: string };

/** The volumes of a pod, as the volume port wants them; empty while something that they need isn't there. Pure. */
export function volumeSpecs(assignment: PodAssignment): VolumePlan {
  const volumes: VolumeSpec[] = [];
  for (const volume of assignment.pod.spec.volumes ?? []) {
    const spec = volumeSpec(volume, assignment);
    if (typeof spec === 'string')
      return {
        ok: false,
        problem: `MountVolume.SetUp failed for volume "${volume.name}": ${spec}`,
      };
    volumes.push(spec);
  }
  return { ok: true, volumes };
}

function volumeSpec(volume: Volume, assignment: PodAssignment): VolumeSpec | string {
  const owner = ownerOf(assignment);
  const { name, configMap, secret, emptyDir = {} } = volume;
  if (configMap) {
    const found = assignment.configMaps.get(configMap.name);
    if (!found && !configMap.optional) return `configmap "${configMap.name}" not found`;
    const entries = [
      ...Object.entries(found?.data ?? {}).map(([k, v]) => [k, Buffer.from(v)] as const),
      ...decoded(found?.binaryData),
    ];
    const what = `configmap "${configMap.name}"`;
    return filesOf({ name, owner, what, entries, source: configMap });
  }
  if (secret) {
    const found = assignment.secrets.get(secret.secretName);
    if (!found && !secret.optional) return `secret "${secret.secretName}" not found`;
    const what = `secret "${secret.secretName}"`;
    return filesOf({ name, owner, what, entries: decoded(found?.data), source: secret });
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

const decoded = (base64: Readonly<Record<string, string>> = {}) =>
  Object.entries(base64).map(([key, text]) => [key, Buffer.from(text, 'base64')] as const);

/** Host ids: the pod's root and, if set, its fsGroup, as they are outside of its user namespace. */
function ownerOf({ pod, userNamespace }: PodAssignment): { uid: number; gid: number } {
  const first = userNamespace?.firstId ?? 0;
  return { uid: first, gid: first + (pod.spec.securityContext.fsGroup ?? 0) };
}

function filesOf(input: {
  readonly name: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly what: string;
  readonly entries: readonly (readonly [string, Buffer])[];
  readonly source: {
    readonly items?: readonly KeyToPath[] | undefined;
    readonly defaultMode: number;
    readonly optional?: boolean | undefined;
  };
}): VolumeSpec | string {
  const { name, owner, entries } = input;
  const { items, defaultMode, optional } = input.source;
  const byKey = new Map(entries);
  const missing = items?.find((item) => !byKey.has(item.key));
  if (missing && !optional)
    return `${input.what} references non-existent config key: ${missing.key}`;
  const files: readonly VolumeFile[] = items
    ? items.flatMap(({ key, path, mode }) => file(path, byKey.get(key), mode ?? defaultMode))
    : entries.flatMap(([key, bytes]) => file(key, bytes, defaultMode));
  return { name, owner, kind: 'files', files };
}

const file = (path: string, bytes: Buffer | undefined, mode: number): readonly VolumeFile[] =>
  bytes === undefined ? [] : [{ path, bytes, mode }];

/** Changes whenever a ConfigMap or Secret of the assignment does. */
export function volumesSignature({ configMaps, secrets }: PodAssignment): string {
  return [...configMaps.values(), ...secrets.values()]
    .map(({ metadata }) => `${metadata.uid}/${metadata.resourceVersion}`)
    .join(' ');
}
