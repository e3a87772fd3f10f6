import type { Container } from '../../api/container.ts';
import type { Pod } from '../../api/pod.ts';
import { everyContainer } from '../../api/pod-facts.ts';
import { milliOf, wholeOf } from '../../api/quantity.ts';
import type { PodAssignment } from '../ledger/assignment.ts';
import type * as ports from '../ports.ts';
import { expand } from './environment.ts';

/** A container by its name, of whatever group. */
export const containerNamed = ({ spec }: Pod, name: string): Container | undefined =>
  everyContainer(spec).find((c) => c.name === name);

/** Processes of one container, so that a fork bomb stays in its own; the pod's users can't ask for more yet. */
const pidsPerContainer = 1024;

export interface ContainerSpecInput {
  readonly assignment: PodAssignment;
  readonly container: Container;
  readonly attempt: number;
  readonly image: ports.Image;
  readonly variables: ReadonlyMap<string, string>;
  readonly volumes: ReadonlyMap<string, ports.VolumeSource>;
  readonly logPath: string;
  /** The container that it shares processes with. */
  readonly besides?: ports.ContainerId | undefined;
}

/** A container of a pod, as the container port wants it. Pure. */
export function containerSpec(input: ContainerSpecInput): ports.ContainerSpec {
  const { assignment, container, variables } = input;
  const expanded = (list: readonly string[] | undefined) => list?.map((s) => expand(s, variables));
  return {
    id: { uid: assignment.uid, name: container.name, attempt: input.attempt },
    image: input.image,
    besides: input.besides,
    command: expanded(container.command),
    args: expanded(container.args),
    env: [...variables].map(([name, value]) => `${name}=${value}`),
    workingDir: container.workingDir,
    mounts: mountsOf(container, input.volumes),
    resources: containerResources(container),
    security: securityOf(assignment, container),
    logPath: input.logPath,
    terminal: container.tty ?? false,
    stdin: container.stdin ? (container.stdinOnce ? 'once' : 'open') : 'none',
  };
}

const mountsOf = (container: Container, volumes: ReadonlyMap<string, ports.VolumeSource>) =>
  (container.volumeMounts ?? []).flatMap(({ name, mountPath, subPath = '', readOnly }) => {
    const source = volumes.get(name);
    return source ? [{ source, mountPath, subPath, readOnly: readOnly ?? false }] : [];
  });

function containerResources({ resources }: Container): ports.CgroupResources {
  const { requests = {}, limits = {} } = resources;
  const memory = limits.memory;
  return {
    cpuRequestMilli: requests.cpu === undefined ? undefined : milliOf(requests.cpu),
    cpuLimitMilli: limits.cpu === undefined ? undefined : milliOf(limits.cpu),
    memoryLimitBytes: memory === undefined ? undefined : wholeOf(memory),
    pidsLimit: pidsPerContainer,
  };
}

/** The pod's own group: the sum of its containers, without a limit where one of them has none. */
export function podResources({ pod }: PodAssignment): ports.CgroupResources {
  const each = pod.spec.containers.map(containerResources);
  const init = (pod.spec.initContainers ?? []).map(containerResources);
  return {
    cpuRequestMilli: each.reduce((sum, r) => sum + (r.cpuRequestMilli ?? 0), 0),
    cpuLimitMilli: sumOrMax(each, init, (r) => r.cpuLimitMilli),
    memoryLimitBytes: sumOrMax(each, init, (r) => r.memoryLimitBytes),
    pidsLimit: undefined,
  };
}

function sumOrMax(
  containers: readonly ports.CgroupResources[],
  init: readonly ports.CgroupResources[],
  of: (r: ports.CgroupResources) => number | undefined,
): number | undefined {
  if ([...containers, ...init].some((r) => of(r) === undefined)) return undefined;
  const sum = containers.reduce((total, r) => total + (of(r) ?? 0), 0);
  return Math.max(sum, ...init.map((r) => of(r) ?? 0));
}

/** The container's word goes before the pod's. */
function securityOf({ pod }: PodAssignment, container: Container): ports.ContainerSecurity {
  const ofPod = pod.spec.securityContext;
  const own = container.securityContext ?? {};
  const privileged = own.privileged ?? false;
  const appArmor = own.appArmorProfile ?? ofPod.appArmorProfile;
  const seccomp = own.seccompProfile?.type ?? ofPod.seccompProfile?.type;
  return {
    privileged,
    runAsUser: own.runAsUser ?? ofPod.runAsUser,
    runAsGroup: own.runAsGroup ?? ofPod.runAsGroup,
    runAsNonRoot: own.runAsNonRoot ?? ofPod.runAsNonRoot ?? false,
    supplementalGroups: ofPod.supplementalGroups ?? [],
    fsGroup: ofPod.fsGroup,
    capabilitiesAdd: own.capabilities?.add ?? [],
    capabilitiesDrop: own.capabilities?.drop ?? [],
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    allowPrivilegeEscalation: own.allowPrivilegeEscalation ?? true,
    seccomp: seccomp === 'Unconfined' || privileged ? 'Unconfined' : 'RuntimeDefault',
    appArmor: appArmor?.type === 'Unconfined' ? 'unconfined' : appArmor?.localhostProfile,
  };
}
