import { conditionOf } from '../../api/condition.ts';
import { Node, type NodeCondition } from '../../api/node.ts';
import { formatMicroTime, repeat } from '../../base/clock.ts';
import type { LoopDeps } from '../store/loop.ts';
import type { Cache } from '../store/objects.ts';
import { writeLease } from '../store/write-lease.ts';
import type { NodeRegistry } from './node-registry.ts';

export interface NodeLeasesDeps extends Pick<LoopDeps, 'objects' | 'cache' | 'clock' | 'log'> {
  readonly registry: NodeRegistry;
  /** A node that is silent for so long is given up. Default: 4000, no shorter. */
  readonly nodeGraceMs?: number | undefined;
}

const usualGraceMs = 4000;
const leaseNamespace = 'kube-node-lease';

export type NodeLeases = ReturnType<typeof nodeLeases>;

/**
 * Signs of life, as Leases in kube-node-lease. Agents beat every second; the store hears of it every two, all nodes at
 * once, so that their writes share one commit. The Lease says when the last beat was, not when it was written: a
 * living node's is at most three seconds old, within the four that it grants. Where it grants more, it is written as much
 * more seldom.
 */
export function nodeLeases(deps: NodeLeasesDeps) {
  const graceMs = Math.max(usualGraceMs, deps.nodeGraceMs ?? 0);
  const beats = new Map<string, number>();
  const conditions = new Map<string, readonly NodeCondition[]>();

  const renew = (name: string, at: number): Promise<void> => {
    const leaseDurationSeconds = graceMs / 1000;
    const spec = { holderIdentity: name, leaseDurationSeconds, renewTime: formatMicroTime(at) };
    return writeLease(deps.objects, { namespace: leaseNamespace, name }, () => spec);
  };

  const reportConditions = (nodeName: string) =>
    deps.registry.report(nodeName, conditions.get(nodeName) ?? []);

  const renewAll = async () => {
    const due = [...beats];
    beats.clear();
    const writes = due.map(async ([nodeName, at]) => {
      await renew(nodeName, at);
      if (!isReady(deps.cache, nodeName)) await reportConditions(nodeName);
    });
    for (const outcome of await Promise.allSettled(writes))
      if (outcome.status === 'rejected')
        deps.log.warn({ err: outcome.reason, component: 'dispatcher' }, 'lease not renewed');
  };

  return {
    beat: (nodeName: string) => void beats.set(nodeName, deps.clock.now()),
    /** At once: before a node that was away counts as Ready again. */
    renew: (nodeName: string) => renew(nodeName, deps.clock.now()),
    /** What the node says of itself, merged into its Node now and whenever its Ready was taken away meanwhile. */
    setConditions(nodeName: string, reported: readonly NodeCondition[]) {
      conditions.set(nodeName, reported);
      reportConditions(nodeName).catch((err: unknown) =>
        deps.log.warn({ err, component: 'dispatcher', node: nodeName }, 'conditions not written'),
      );
    },
    /** Resolves when nothing is being renewed. */
    stop: repeat(deps.clock, graceMs / 2, renewAll),
  };
}

/** The node's own False counts as said: only what the controller took away is given back. */
function isReady(cache: Cache, nodeName: string): boolean {
  const node = cache.get(Node, { namespace: '', name: nodeName });
  const ready = node && conditionOf(node, 'Ready');
  return !node || (ready !== undefined && ready.status !== 'Unknown');
}
