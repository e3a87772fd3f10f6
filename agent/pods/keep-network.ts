import type { Base } from '../../base/base.ts';
import { runReconciler } from '../../base/run-reconciler.ts';
import type { Ledger } from '../ledger/assignment.ts';
import type { NetworkPort } from '../ports.ts';

/** What somebody else took away (a flushed ruleset, a route) is back after this time. */
const resyncMs = 30_000;

/** The node's routes, rules and names follow the ledger's network table. Returns stop. */
export function keepNetwork(options: Base & Readonly<{ ledger: Ledger; network: NetworkPort }>) {
  const { ledger, network, ...base } = options;
  const reconciler = runReconciler<'network'>({
    name: 'network',
    workers: 1,
    backoff: { firstMs: 100, capMs: 10_000 },
    ...base,
    async reconcile() {
      const table = ledger.network();
      if (table) await network.apply(table);
      return resyncMs;
    },
  });
  const unsubscribe = ledger.onChange((changed) => {
    if (changed === 'network') reconciler.wake('network');
  });
  reconciler.wake('network');
  return async (): Promise<void> => {
    unsubscribe();
    await reconciler.stop();
  };
}
