import type { Hello } from '../../api/generated/agent.ts';
import { Node, type NodeCondition } from '../../api/node.ts';
import { parseObject } from '../../api/prepare.ts';
import { hasReason, invalid, StatusError } from '../../api/status.ts';
import type { LoopDeps } from '../store/loop.ts';
import { statusFromHello, withConditions } from './node-status.ts';
import { freePodCidr, type PodCidrPlan, podsPerNode } from './pod-cidrs.ts';

export interface NodeRegistryDeps extends Pick<LoopDeps, 'objects' | 'cache' | 'clock'> {
  readonly podCidrs: PodCidrPlan;
}

/** Two controllers may register nodes at the same time: each lost claim means one more look at what is taken. */
const maxTries = 10;

export type NodeRegistry = ReturnType<typeof nodeRegistry>;

/** The Node objects, as far as the agents' link writes them. */
export function nodeRegistry(deps: NodeRegistryDeps) {
  return {
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
  };
}

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

function update(deps: NodeRegistryDeps, hello: Hello): Promise<Node | undefined> {
  return deps.objects.modify(Node, target(hello.nodeName, 'all'), (node) => {
    const podCidr = node.spec.podCIDR || takePodCidr(deps);
    return {
      ...node,
      metadata: { ...node.metadata, labels: { ...node.metadata.labels, ...labelsOf(hello) } },
      spec: { ...node.spec, podCIDR: podCidr, podCIDRs: [podCidr] },
      status: { ...node.status, ...statusOf(deps, hello, node.status.conditions) },
    };
  });
}

async function create(deps: NodeRegistryDeps, hello: Hello): Promise<Node> {
  const podCidr = takePodCidr(deps);
  const node = await deps.objects.create(Node, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: hello.nodeName, labels: labelsOf(hello) },
    spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
    status: statusOf(deps, hello),
  });
  await deps.cache.reached(Number(node.metadata.resourceVersion));
  return node;
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
  throw new StatusError(
    'ServiceUnavailable',
    `every pod CIDR of ${podCidrs.clusterPodCidr} is taken: delete nodes that are gone`,
  );
}

const labelsOf = (hello: Hello): Readonly<Record<string, string>> => ({
  ...hello.labels,
  'kubernetes.io/hostname': hello.nodeName,
  'kubernetes.io/os': hello.system?.operatingSystem ?? 'linux',
  'kubernetes.io/arch': hello.system?.architecture ?? '',
});
