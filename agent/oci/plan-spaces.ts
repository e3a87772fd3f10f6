import type { Op } from '../kernel/op.ts';
import type { Namespace } from '../kernel/op-fields.ts';
import { loopbackUp } from '../kernel/rtnetlink.ts';
import { mapText } from './id-maps.ts';
import { OciError } from './oci-error.ts';
import type { OciLinux, OciNamespaceType, OciSpec } from './oci-spec.ts';
import { FIRST_IDMAP_SLOT, mountMaps } from './plan-mounts.ts';

/**
 * The new namespaces that are held for a container, each list to be run in a process of its own before planContainer's:
 * a user namespace can be joined last only if it is there already, and it must own the others.
 */
export function planSpaces(spec: Pick<OciSpec, 'linux' | 'mounts'>): readonly (readonly Op[])[] {
  const { linux = {} } = spec;
  const fresh = held.filter((type) => spaceOf(linux, type)?.path === '');
  const others = fresh.filter((type) => type !== 'user');
  const own: readonly Op[] = [
    ...(fresh.includes('user') ? newUser('user', linux) : openSpaces(linux, ['user'])),
    ...joins(linux, ['user']),
    { op: 'unshare', namespaces: others },
    ...others.flatMap((namespace): readonly Op[] => [
      { op: 'open-space', namespace, path: `/proc/self/ns/${files[namespace]}` },
      { op: 'hold', namespace },
    ]),
    ...(others.includes('network') ? [{ op: 'netlink', messages: loopbackUp() } as const] : []),
  ];
  const idmaps = mountMaps(spec).map((maps, i): readonly Op[] => {
    const [uidMap = '', gidMap = ''] = maps.split('\0');
    const namespace = FIRST_IDMAP_SLOT + i;
    return [
      { op: 'new-user', namespace, uidMap, gidMap },
      { op: 'hold', namespace },
    ];
  });
  return fresh.length > 0 ? [own, ...idmaps] : idmaps;
}

/** Those that all of a pod's containers share. */
export function planPodSpaces(pod: {
  readonly userNamespace: { readonly firstId: number; readonly size: number } | undefined;
  readonly hostNetwork: boolean;
}): readonly Op[] {
  const { firstId: hostID = 0, size = 0 } = pod.userNamespace ?? {};
  const ids = [{ containerID: 0, hostID, size }];
  const missing = new Set([!pod.userNamespace && 'user', pod.hostNetwork && 'network']);
  const namespaces = held.filter((type) => !missing.has(type)).map((type) => ({ type }));
  return planSpaces({ linux: { namespaces, uidMappings: ids, gidMappings: ids } }).flat();
}

const held = ['user', 'network', 'ipc', 'uts'] as const;
const files = { user: 'user', network: 'net', ipc: 'ipc', uts: 'uts' } as const;

function newUser(namespace: Namespace, linux: OciLinux): readonly Op[] {
  const { uidMappings, gidMappings } = linux;
  return [
    { op: 'new-user', namespace, uidMap: mapText(uidMappings), gidMap: mapText(gidMappings) },
    { op: 'hold', namespace },
  ];
}

/** The container's namespace of this type; path "": a new one. undefined: it shares its runtime's. Throws OciError. */
export function spaceOf({ namespaces = [] }: OciLinux, type: OciNamespaceType) {
  const [first, second] = namespaces.filter((space) => space.type === type);
  if (second) throw new OciError('linux.namespaces', 'invalid', `${type} twice`);
  return first && { path: first.path ?? '' };
}

/** Opens those that are given by a path, while the host's paths are there. */
export const openSpaces = (linux: OciLinux, types: readonly OciNamespaceType[]): readonly Op[] =>
  types.flatMap((namespace) => {
    const path = spaceOf(linux, namespace)?.path;
    return path ? [{ op: 'open-space', namespace, path } as const] : [];
  });

/** For a process beside the container's first one. */
export const joinShared = (linux: OciLinux): readonly Op[] => [
  ...openSpaces(linux, [...shared, 'user']),
  ...joins(linux, shared),
];

export const shared = ['network', 'ipc', 'uts'] as const;

export const joins = (linux: OciLinux, types: readonly OciNamespaceType[]): readonly Op[] =>
  types
    .filter((type) => spaceOf(linux, type) !== undefined)
    .map((namespace) => ({ op: 'join', namespace }));
