import type { ContainerUsage, Usage } from '../../api/generated/agent.ts';
import type { ContainerId } from '../ports.ts';
import type { NodeMeasure } from './node-measure.ts';

export interface UsageSample {
  readonly atMs: number;
  readonly node: NodeMeasure;
  readonly containers: readonly {
    readonly id: ContainerId;
    readonly cpuNs: number;
    readonly memoryBytes: number;
  }[];
}

/** What was used between two samples, by the newest attempt of each container. Pure. */
export function usageBetween(before: UsageSample, now: UsageSample): Usage {
  const windowMs = Math.max(1, Math.round(now.atMs - before.atMs));
  const perSecond = (ns: number) => Math.max(0, Math.round((ns * 1000) / windowMs));
  const cpuBefore = new Map(before.containers.map(({ id, cpuNs }) => [nameOf(id), cpuNs]));
  const newest = new Map<string, ContainerUsage>();
  for (const { id, cpuNs, memoryBytes } of now.containers.toSorted(byAttempt))
    newest.set(`${id.uid}/${id.name}`, {
      podUid: id.uid,
      container: id.name,
      // A group that wasn't there began at zero.
      cpuNanocores: perSecond(cpuNs - (cpuBefore.get(nameOf(id)) ?? 0)),
      memoryBytes,
    });
  return {
    windowMs,
    nodeCpuNanocores: perSecond(now.node.cpuNs - before.node.cpuNs),
    nodeMemoryBytes: now.node.memory.totalBytes - now.node.memory.availableBytes,
    containers: [...newest.values()],
  };
}

const nameOf = ({ uid, name, attempt }: ContainerId) => `${uid}/${name}/${attempt}`;

const byAttempt = (a: { id: ContainerId }, b: { id: ContainerId }) => a.id.attempt - b.id.attempt;
