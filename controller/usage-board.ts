import type { ContainerUsage, Usage } from '../api/generated/agent.ts';
import type { Clock } from '../base/clock.ts';

export interface NodeUsage {
  readonly atMs: number;
  readonly usage: Usage;
  readonly containersOf: ReadonlyMap<string, readonly ContainerUsage[]>;
}

const staleAfterMs = 60_000;

export type UsageBoard = ReturnType<typeof openUsageBoard>;

/** What nodes use just now, in memory: the dispatcher writes it, the API server reads it. */
export function openUsageBoard(clock: Clock) {
  const nodes = new Map<string, NodeUsage>();
  return {
    report(nodeName: string, usage: Usage) {
      const containersOf = Map.groupBy(usage.containers, ({ podUid }) => podUid);
      nodes.set(nodeName, { atMs: clock.now(), usage, containersOf });
    },
    /** undefined: nothing was heard of this node in the last minute. */
    ofNode(nodeName: string) {
      const known = nodes.get(nodeName);
      return known && clock.now() - known.atMs < staleAfterMs ? known : undefined;
    },
  };
}
