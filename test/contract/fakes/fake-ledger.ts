import type { Ledger } from '../../../agent/ledger/assignment.ts';
import { nextAssignments, noAssignments } from '../../../agent/ledger/next-assignments.ts';

/** A ledger that forgets: the same rules, no disk. */
export function fakeLedger(): Ledger {
  let state = noAssignments;
  const listeners = new Set<(changed: string) => void>();
  return {
    pods: () => state.pods,
    network: () => state.network,
    generation: () => state.generation,
    async accept(change) {
      const [before, next] = [state, nextAssignments(state, change)];
      if (!next) return 'stale';
      state = next;
      const uids = new Set([...before.pods.keys(), ...next.pods.keys()]);
      const changed = [...uids].filter((uid) => before.pods.get(uid) !== next.pods.get(uid));
      if (before.network !== next.network) changed.push('network');
      for (const uid of changed) for (const listener of listeners) listener(uid);
      return 'accepted';
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
