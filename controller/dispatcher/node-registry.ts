import { transitionTime } from '../../api/condition.ts';
import type { Hello } from '../../api/generated/agent.ts';
import { Node, type NodeCondition } from '../../api/node.ts';
import { parseObject } from '../../api/prepare.ts';
import { hasReason, invalid, StatusError } from '../../api/status.ts';
import { formatTime } from '../../base/clock.ts';
import { formatIpv4, parseIpv4Cidr } from '../../base/ipv4.ts';
import type { LoopDeps } from '../store/loop.ts';
import type { ClusterNetwork } from './control.ts';

/** The cluster's pod CIDR is cut into blocks, one per node. */
type PodCidrPlan = Pick<ClusterNetwork, 'clusterPodCidr' | 'nodePrefix'>;

export interface NodeRegistryDeps extends Pick<LoopDeps, 'objects' | 'cache' | 'clock'> {
  readonly podCidrs: PodCidrPlan;
}

/** Two controllers may register nodes at the same time: each lost claim means one more look at what is taken. */
const maxTries = 10;

export type NodeRegistry = ReturnType<typeof nodeRegistry>;

/** The Node objects, as far as the agents' link writes them. */
export const nodeRegistry = (deps: NodeRegistryDeps) => ({
  /** Makes or updates the Node; gives it a pod CIDR for good. Throws StatusError when there is none left. */
  async register(hello: Hello): Promise<Node> {
    checkHello(hello, deps);
    for (let tries = 1; ; tries++) {
      try {
        return (await update(deps, hello)) ?? (await create(deps, hello));
      } catch (error) {
        if (tries === maxTries || !isLostRace(error)) throw error;
      }
    }
  },
  /** The node lives and says this of itself. Writes only what differs. */
  async report(name: string, conditions: readonly NodeCondition[]): Promise<void> {
    await deps.objects.modify(Node, target(name, 'status'), (node) => ({
      ...node,
      status: {
        ...node.status,
        conditions: withConditions(node.status.conditions ?? [], conditions, deps.clock.now()),
      },
    }));
  },
});

/** A node describes itself: held against the schema like everything from outside. Throws StatusError Invalid. */
function checkHello(hello: Hello, { podCidrs }: NodeRegistryDeps): void {
  const parsed = parseObject(Node, {
    metadata: { name: hello.nodeName, labels: labelsOf(hello) },
    status: statusFromHello(hello, podsPerNode(podCidrs)),
  });
  if ('errors' in parsed) throw invalid(Node, hello.nodeName, parsed.errors);
}

/** Invalid: the claim on the pod CIDR was taken by someone else. */
const isLostRace = (error: unknown) => hasReason(error, 'Invalid', 'AlreadyExists', 'Conflict');

const target = (name: string, part: 'all' | 'status') => ({ key: { namespace: '', name }, part });

const update = (deps: NodeRegistryDeps, hello: Hello): Promise<Node | undefined> =>
  deps.objects.modify(Node, target(hello.nodeName, 'all'), (node) => {
    const podCidr = node.spec.podCIDR || takePodCidr(deps);
    return {
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labelsOf(hello) } },
      spec: { ...node.spec, podCIDR: podCidr, podCIDRs: [podCidr] },
      status: { ...node.status, ...statusOf(deps, hello, node.status.conditions) },
    };
  });

function create(deps: NodeRegistryDeps, hello: Hello): Promise<Node> {
  const podCidr = takePodCidr(deps);
  return deps.objects.create(Node, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: hello.nodeName, labels: labelsOf(hello) },
    spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
    status: statusOf(deps, hello),
  });
}

function statusOf(deps: NodeRegistryDeps, hello: Hello, present: readonly NodeCondition[] = []) {
  return {
    ...statusFromHello(hello, podsPerNode(deps.podCidrs)),
    conditions: withConditions(present, [], deps.clock.now()),
  };
}

function takePodCidr({ cache, podCidrs }: NodeRegistryDeps): string {
  const taken = new Set(cache.list(Node).flatMap(({ spec }) => spec.podCIDR ?? []));
  const cidr = freePodCidr(podCidrs, taken);
  if (cidr) return cidr;
  const why = `every pod CIDR of ${podCidrs.clusterPodCidr} is taken: delete nodes that are gone`;
  throw new StatusError('ServiceUnavailable', why);
}

const labelsOf = (hello: Hello): Readonly<Record<string, string>> => ({
  ...hello.labels,
  'kubernetes.io/hostname': hello.nodeName,
  'kubernetes.io/os': hello.system?.operatingSystem ?? 'linux',
  'kubernetes.io/arch': hello.system?.architecture ?? '',
});

/** The lowest block that no node has; undefined: there is none left. Pure. */
export function freePodCidr(plan: PodCidrPlan, taken: ReadonlySet<string>): string | undefined {
  const cluster = parseIpv4Cidr(plan.clusterPodCidr);
  if (!cluster) throw new TypeError(`not an IPv4 CIDR: ${plan.clusterPodCidr}`);
  const size = 2 ** (32 - plan.nodePrefix);
  for (let first = cluster.first; first + size - 1 <= cluster.last; first += size) {
    const cidr = `${formatIpv4(first)}/${plan.nodePrefix}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

/** Network, gateway and broadcast are no pod's. */
export const podsPerNode = ({ nodePrefix }: PodCidrPlan): number => 2 ** (32 - nodePrefix) - 3;

/** What a node's first message says about it, as the Node's status. Conditions are merged by {@link withConditions}. */
function statusFromHello(hello: Hello, maxPods: number): Node['status'] {
  const pods = Math.min(Number(hello.capacity.pods ?? maxPods), maxPods);
  const capacity = { ...hello.capacity, pods: String(pods) };
  const [internalIp] = hello.addresses;
  const runtimeHandlers = hello.runtimeHandlers.map((name) => ({ name }));
  return {
    capacity,
    allocatable: capacity,
    addresses: [
      ...(internalIp ? [{ type: 'InternalIP' as const, address: internalIp }] : []),
      { type: 'Hostname' as const, address: hello.nodeName },
    ],
    // Absent for an older agent: controllers as old as that know no such field.
    runtimeHandlers: runtimeHandlers.length > 0 ? runtimeHandlers : undefined,
    nodeInfo: {
      machineID: hello.system?.machineId ?? '',
      systemUUID: hello.system?.systemUuid ?? '',
      bootID: hello.bootId,
      kernelVersion: hello.system?.kernelVersion ?? '',
      osImage: hello.system?.osImage ?? '',
      containerRuntimeVersion: hello.system?.containerRuntimeVersion ?? '',
      kubeletVersion: hello.agentVersion,
      operatingSystem: hello.system?.operatingSystem ?? '',
      architecture: hello.system?.architecture ?? '',
    },
  };
}

const ready: NodeCondition = {
  type: 'Ready',
  status: 'True',
  reason: 'AgentReady',
  message: 'the agent is connected and reports',
};

/**
 * The node's own conditions over what is there; Ready is True unless the node itself says otherwise. Times of
 * transition stay where the status stays. An unchanged list gives back the same times, so that nothing is written.
 */
export function withConditions(
  present: readonly NodeCondition[],
  reported: readonly NodeCondition[],
  now: number,
): readonly NodeCondition[] {
  const said = new Map([ready, ...reported].map((condition) => [condition.type, condition]));
  const kept = present.filter(({ type }) => !said.has(type));
  const before = ({ type }: NodeCondition) => present.find((one) => one.type === type);
  return [...kept, ...said.values().map((one) => dated(one, before(one), formatTime(now)))];
}

function dated(next: NodeCondition, previous: NodeCondition | undefined, now: string) {
  const heard = previous?.status === next.status ? previous.lastHeartbeatTime : now;
  const lastTransitionTime = transitionTime(next, previous, now);
  return { ...next, lastHeartbeatTime: heard ?? now, lastTransitionTime };
}
