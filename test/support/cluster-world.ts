import { Namespace } from '../../api/namespace.ts';
import { Pod } from '../../api/pod.ts';
import { parseObject } from '../../api/prepare.ts';
import { systemClock } from '../../base/clock.ts';
import type { Store } from '../../controller/store/store.ts';
import { openUsageBoard } from '../../controller/usage-board.ts';
import { type LocalPodAccess, localPodAccess } from './local-pod-access.ts';
import { clusterWork } from './test-cluster.ts';
import { openTlsWorld, type TlsWorld } from './tls-world.ts';

/** A whole cluster but for its nodes: an API server on a port, every loop, agents that only pretend, pods that are this machine. */
export interface ClusterWorld extends TlsWorld {
  readonly pods: LocalPodAccess;
  addNode(name: string): Promise<void>;
  addNamespace(name: string): Promise<void>;
  /** Each running container of the node takes 50m and 20Mi. */
  measure(node: string): void;
}

export async function openClusterWorld(store: Store): Promise<ClusterWorld> {
  const pods = localPodAccess();
  const { indexes, start } = clusterWork();
  const usage = openUsageBoard(systemClock());
  const world = await openTlsWorld({ store, indexes, podAccess: pods, usage });
  const work = await start(world.deps);
  const measure = (node: string) => {
    const bound = world.cache.list(Pod).filter(({ spec }) => spec.nodeName === node);
    const containers = bound.flatMap(({ metadata, spec }) =>
      spec.containers.map(({ name }) => ({
        ...{ podUid: metadata.uid, container: name },
        ...{ cpuNanocores: 50_000_000, memoryBytes: 20 * 1024 * 1024 },
      })),
    );
    const whole = { nodeCpuNanocores: 400_000_000, nodeMemoryBytes: 1024 ** 3 };
    usage.report(node, { ...whole, windowMs: 15_000, containers });
  };
  return {
    ...world,
    pods,
    measure,
    addNode: (name) => work.agents.add(name, {}),
    addNamespace: async (name) => {
      const { objects } = world;
      const parsed = parseObject(Namespace, { metadata: { name } });
      if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
      await objects.create(Namespace, parsed.object);
    },
    async close() {
      await world.api.close();
      await work.stop();
      await world.close();
      await store.close();
    },
  };
}
