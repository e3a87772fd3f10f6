import { apiVersionOf, type Kind } from '../../api/kind.ts';
import { Node } from '../../api/node.ts';
import { Pod } from '../../api/pod.ts';
import { NodeMetrics, PodMetrics } from '../../api/resource-metrics.ts';
import { formatTime } from '../../base/clock.ts';
import type { NodeUsage } from '../usage-board.ts';
import type { ApiServerDeps, Call } from './call.ts';
import { computedHandles } from './computed-handles.ts';
import type { KindHandles } from './resource-routes.ts';

/** metrics.k8s.io: reads of what the nodes said last. */
export const usageHandles: ReadonlyMap<Kind, KindHandles> = new Map([
  [NodeMetrics as Kind, computedHandles((_, deps) => nodeMetrics(deps))],
  [PodMetrics as Kind, computedHandles((call, deps) => podMetrics(call, deps))],
]);

const nodeMetrics = ({ cache, usage }: ApiServerDeps): readonly NodeMetrics[] =>
  cache.list(Node).flatMap((node) => {
    const known = usage.ofNode(node.metadata.name);
    if (!known) return [];
    const { nodeCpuNanocores: cpu, nodeMemoryBytes: memory } = known.usage;
    return [{ ...headOf(NodeMetrics, node, known), usage: amounts(cpu, memory) }];
  });

/** Only of what runs: an ended container's group may still be there. */
function podMetrics({ namespace, name }: Call, { cache, usage }: ApiServerDeps) {
  const one = name === '' ? undefined : cache.get(Pod, { namespace, name });
  const pods = name === '' ? cache.list(Pod, namespace || undefined) : one ? [one] : [];
  return pods.flatMap((pod) => {
    const known = usage.ofNode(pod.spec.nodeName ?? '');
    const statuses = pod.status.containerStatuses ?? [];
    const running = new Set(statuses.flatMap(({ name, state }) => (state?.running ? [name] : [])));
    const containers = (known?.containersOf.get(pod.metadata.uid) ?? [])
      .filter(({ container }) => running.has(container))
      .map(({ container, cpuNanocores, memoryBytes }) => ({
        name: container,
        usage: amounts(cpuNanocores, memoryBytes),
      }));
    return known && containers.length > 0
      ? [{ ...headOf(PodMetrics, pod, known), containers }]
      : [];
  });
}

function headOf(kind: Kind, { metadata }: Node | Pod, { atMs, usage }: NodeUsage) {
  const { name, namespace, labels, uid, resourceVersion } = metadata;
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: {
      ...{ name, uid, resourceVersion, creationTimestamp: formatTime(atMs) },
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: formatTime(atMs),
    window: `${usage.windowMs / 1000}s`,
  };
}

const amounts = (nanocores: number, bytes: number) => ({
  cpu: `${nanocores}n`,
  memory: `${Math.ceil(bytes / 1024)}Ki`,
});
