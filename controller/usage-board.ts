import type { ContainerUsage, Usage } from '../api/generated/agent.ts';
import type { Clock } from '../base/clock.ts';

/** What nodes use just now, in memory: the dispatcher writes it, the API server reads it. */
export interface UsageBoard {
  report(nodeName: string, usage: Usage): void;
  /** undefined: nothing was heard of this node in the last minute. */
  ofNode(nodeName: string): NodeUsage | undefined;
}

export interface NodeUsage {
  readonly atMs: number;
  readonly usage: Usage;
  readonly containersOf: ReadonlyMap<string, readonly ContainerUsage[]>;
}

const staleAfterMs = 60_000;

export function openUsageBoard(clock: Clock): UsageBoard {
  const nodes = new Map<string, NodeUsage>();
  return {
    report(nodeName, usage) {
      const containersOf = Map.groupBy(usage.containers, ({ podUid }) => podUid);
      nodes.set(nodeName, { atMs: clock.now(), usage, containersOf });
    },
    ofNode(nodeName) {
      const known = nodes.get(nodeName);
      return known && clock.now() - known.atMs < staleAfterMs ? known : undefined;
    },
  };
}
